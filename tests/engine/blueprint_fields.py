"""Every field of the product blueprint's data models, and where it is here.

field = collection.leaf          a leaf of a record; several where one field became more
field < name                     derived: by a function of `apex_sync`, or from these leaves
field : words                    kept elsewhere, or not at all, and why
"""

from collections.abc import Mapping

__all__ = ["FIELDS"]

FIELDS: Mapping[str, str] = {
    "Client": """
        id : the id of the account, and of the athlete's scope
        userId : as id
        coachId : relations of coaches and athletes are the server's own
        name = profiles.name
        email : the account's, sealed
        phone = profiles.phone
        avatar = profiles.avatar_media_id
        dateOfBirth = profiles.date_of_birth
        status = client_files.status
        subscriptionTier = client_files.subscription_tier
        profile.age < apex_sync.coaching.profile.age_years
        profile.gender = profiles.gender
        profile.trainingAge = profiles.training_age_years
        profile.goals = profiles.goals
        profile.weakPoints = profiles.weak_points
        profile.injuries = profiles.injuries
        profile.nutritionHabits = profiles.nutrition_habits
        profile.volumeTolerance = profiles.volume_tolerance
        profile.recoveryStatus = profiles.recovery_status
        profile.preferences.equipment = profiles.equipment
        profile.preferences.trainingDaysPerWeek = profiles.training_days_per_week
        profile.preferences.sessionDuration = profiles.session_duration_minutes
        metrics.currentWeight < apex_sync.coaching.bodyweight.weight_trend
        metrics.targetWeight = profiles.target_weight_kg profiles.target_weight profiles.target_weight_unit
        metrics.height = profiles.height_cm profiles.height profiles.height_unit
        metrics.bodyFat < body_metrics.body_fat_percent check_ins.body_fat_percent
        metrics.measurements < body_metrics.measurements check_ins.measurements
        metrics.weeklyWeightChange < apex_sync.coaching.bodyweight.weight_rate
        adherence.workoutCompliance < apex_sync.coaching.adherence.workout_adherence
        adherence.nutritionCompliance < apex_sync.coaching.nutrition.nutrition_adherence
        adherence.checkInCompliance < apex_sync.coaching.adherence.check_in_adherence
        adherence.averageSessionDuration < workout_logs.duration_minutes
        currentProgram < programs.status programs.start_date
        tags = client_files.tags
        lastCheckIn < check_ins.date
        lastWorkout < workout_logs.date
        nextCheckInDue < apex_sync.coaching.adherence.next_check_in_due
        createdAt = profiles.created_at
        updatedAt : the stamp of the newest write
    """,
    "Injury": """
        area = profiles.injuries.area
        side = profiles.injuries.side
        since = profiles.injuries.since
        severity = profiles.injuries.severity
        status = profiles.injuries.status
        notes = profiles.injuries.notes
    """,
    "Program": """
        id : the id of the record
        name = programs.name
        clientId : whose scope the record is in
        coachId : whose scope the template is in; of an assigned one, who wrote it
        description = programs.description
        type = programs.type
        difficulty = programs.difficulty
        startDate = programs.start_date
        endDate = programs.end_date
        duration = programs.duration_weeks
        status = programs.status
        weeks = programs.weeks
        parameters.weeklyVolume = programs.weekly_volume
        parameters.intensityZone = programs.intensity_zone
        parameters.deloadWeeks < programs.weeks.deload
        goals = programs.goals
        notes = programs.notes
        coachNotes = client_files.program_notes.notes
        analytics.completionRate < apex_sync.coaching.adherence.workout_adherence
        analytics.averageRPE < apex_sync.coaching.session.session_totals
        analytics.totalVolumeLoad < apex_sync.coaching.session.session_totals
        analytics.clientFeedback = programs.athlete_feedback
        createdAt = programs.created_at
        updatedAt : the stamp of the newest write
    """,
    "Week": """
        weekNumber = programs.weeks.week_number
        description = programs.weeks.description
        days < programs.days.week
        deload = programs.weeks.deload
    """,
    "TrainingDay": """
        dayNumber = programs.days.day_number
        name = programs.days.name
        focus = programs.days.focus
        exercises < programs.exercises.day
        notes = programs.days.notes
        estimatedDuration = programs.days.estimated_duration_minutes
    """,
    "Exercise": """
        id = programs.exercises.exercise_id
        name = exercises.name programs.exercises.name
        muscleGroup = exercises.muscle_group
        secondaryMuscles = exercises.secondary_muscles
        movementPattern = exercises.movement_pattern
        equipment = exercises.equipment
        videoUrl = exercises.video_url
        thumbnailUrl = exercises.thumbnail_url
        instructions = exercises.instructions
        sets < programs.sets.exercise
        restPeriod = programs.exercises.rest_seconds
        tempo = programs.exercises.tempo
        supersetWith = programs.exercises.superset
        circuitOrder = programs.exercises.circuit_order
        dropset = programs.exercises.dropset
        notes = programs.exercises.notes
        coachingCues = exercises.coaching_cues programs.exercises.coaching_cues
        isCustom : whether it is in a coach's library or in the global one
        createdBy : whose library it is in
    """,
    "ExerciseSet": """
        setNumber < programs.sets.order
        type = programs.sets.type
        reps = programs.sets.reps_min programs.sets.reps_max
        rpe = programs.sets.rpe
        rir = programs.sets.rir
        load = programs.sets.load_kg programs.sets.load programs.sets.load_unit programs.sets.load_percent
        loadType < programs.sets.load_percent programs.sets.load_kg
        tempo = programs.sets.tempo
        restBefore = programs.sets.rest_before_seconds
    """,
    "WorkoutLog": """
        id : the id of the record
        clientId : whose scope the record is in
        programId = workout_logs.program_id
        weekNumber = workout_logs.week_number
        dayNumber = workout_logs.day_number
        date = workout_logs.date
        startTime = workout_logs.start_time
        endTime = workout_logs.end_time
        duration = workout_logs.duration_minutes
        exercises = workout_logs.exercises
        totalVolumeLoad < apex_sync.coaching.session.session_totals
        averageRPE < apex_sync.coaching.session.session_totals
        fatigue = workout_logs.fatigue
        pump = workout_logs.pump
        mood = workout_logs.mood
        notes = workout_logs.notes
        completed = workout_logs.completed
        skippedExercises < workout_logs.exercises.skipped
        createdAt = workout_logs.created_at
        syncedAt : the audit says when the server had it, and the device's outbox what it has not
    """,
    "LoggedExercise": """
        exerciseId = workout_logs.exercises.exercise_id
        name = workout_logs.exercises.name
        sets < workout_logs.sets.exercise
        notes = workout_logs.exercises.notes
        personalRecord < apex_sync.coaching.records.personal_records
    """,
    "LoggedSet": """
        setNumber < workout_logs.sets.order
        reps = workout_logs.sets.reps
        load = workout_logs.sets.load_kg workout_logs.sets.load workout_logs.sets.load_unit
        rpe = workout_logs.sets.rpe
        rir = workout_logs.sets.rir
        completed = workout_logs.sets.completed
        failureReason = workout_logs.sets.failure_reason
    """,
    "CheckIn": """
        id : the id of the record
        clientId : whose scope the record is in
        coachId : relations of coaches and athletes are the server's own
        date = check_ins.date
        weekNumber = check_ins.week_number
        weight = check_ins.weight_kg check_ins.weight check_ins.weight_unit
        bodyFat = check_ins.body_fat_percent
        measurements = check_ins.measurements
        photos = check_ins.photos progress_photos.check_in_id
        responses.energy = check_ins.responses.energy
        responses.hunger = check_ins.responses.hunger
        responses.stress = check_ins.responses.stress
        responses.sleep = check_ins.responses.sleep
        responses.adherence = check_ins.responses.adherence
        responses.enjoyment = check_ins.responses.enjoyment
        responses.soreness = check_ins.responses.soreness
        responses.motivation = check_ins.responses.motivation
        notes = check_ins.notes
        questionnaire = check_ins.questionnaire check_ins.questionnaire_id questionnaires.questions
        coachFeedback = check_ins.coach_feedback
        coachReviewed = check_ins.coach_reviewed
        reviewedAt = check_ins.reviewed_at
        aiSummary = check_ins.ai_summary
        aiRecommendations = check_ins.ai_recommendations
        aiFlags.type = check_ins.ai_flags.type
        aiFlags.message = check_ins.ai_flags.message
        createdAt = check_ins.created_at
    """,
    "ProgressPhoto": """
        id : the id of the record
        url < progress_photos.media_id
        thumbnailUrl < progress_photos.media_id
        type = progress_photos.type
        pose = progress_photos.pose
        date = progress_photos.date
    """,
    "Measurements": """
        chest = body_metrics.measurements.chest_cm
        shoulders = body_metrics.measurements.shoulders_cm
        biceps = body_metrics.measurements.biceps_cm
        arms = body_metrics.measurements.arms_cm
        forearms = body_metrics.measurements.forearms_cm
        waist = body_metrics.measurements.waist_cm
        hips = body_metrics.measurements.hips_cm
        thighs = body_metrics.measurements.thighs_cm
        calves = body_metrics.measurements.calves_cm
        recordedAt = body_metrics.measurements.recorded_at
    """,
    "NutritionLog": """
        id : the id of the record, derived from athlete and day
        clientId : whose scope the record is in
        date = nutrition_logs.date
        meals = nutrition_logs.meals
        totals < apex_sync.coaching.nutrition.day_totals
        targets < apex_sync.coaching.nutrition.targets_on
        adherenceScore < apex_sync.coaching.nutrition.day_score
        notes = nutrition_logs.notes
        createdAt = nutrition_logs.created_at
        updatedAt : the stamp of the newest write
    """,
    "Meal": """
        id : the key of the entry
        name = nutrition_logs.meals.name
        time = nutrition_logs.meals.time
        foods < nutrition_logs.foods.meal
        totalMacros < apex_sync.coaching.nutrition.meal_totals
    """,
    "FoodItem": """
        id = nutrition_logs.foods.food_id
        name = nutrition_logs.foods.name foods.name
        quantity = nutrition_logs.foods.quantity nutrition_logs.foods.grams
        unit = nutrition_logs.foods.unit foods.servings.name
        calories = nutrition_logs.foods.energy_kcal foods.per_100g.energy_kcal
        protein = nutrition_logs.foods.protein_g foods.per_100g.protein_g
        carbs = nutrition_logs.foods.carbs_g foods.per_100g.carbs_g
        fat = nutrition_logs.foods.fat_g foods.per_100g.fat_g
        fiber = nutrition_logs.foods.fiber_g foods.per_100g.fiber_g
        sodium = nutrition_logs.foods.sodium_mg foods.per_100g.sodium_mg
        sugar = nutrition_logs.foods.sugar_g foods.per_100g.sugar_g
        source = nutrition_logs.foods.source foods.source
        barcode = nutrition_logs.foods.barcode foods.barcode
    """,
    "MacroTotals": """
        calories = nutrition_targets.energy_kcal
        protein = nutrition_targets.protein_g
        carbs = nutrition_targets.carbs_g
        fat = nutrition_targets.fat_g
        fiber = nutrition_targets.fiber_g
    """,
    "Message": """
        id : the id of the record
        threadId : the record's scope
        senderId : follows from the side that speaks and the scope
        senderName : of the account, sealed
        senderRole < apex_sync.models.message.sides_of
        recipientId : the other of the two
        type = messages.coach.type messages.athlete.type
        content = messages.coach.text messages.athlete.text
        mediaUrl = messages.coach.media_id messages.athlete.media_id
        mediaDuration = messages.coach.duration_seconds messages.athlete.duration_seconds
        thumbnail = messages.coach.thumbnail_media_id messages.athlete.thumbnail_media_id
        read < messages.coach.read_at messages.athlete.read_at
        readAt = messages.coach.read_at messages.athlete.read_at
        reactions = messages.coach.reactions messages.athlete.reactions
        replyToId = messages.coach.reply_to messages.athlete.reply_to
        createdAt = messages.coach.sent_at messages.athlete.sent_at
        updatedAt : the stamp of the newest write
    """,
    "MessageThread": """
        id : the scope's
        participants.coachId : in the scope's name
        participants.clientId : in the scope's name
        lastMessage < apex_sync.coaching.message_view.sent_messages
        unreadCount.coach < messages.coach.read_at
        unreadCount.client < messages.athlete.read_at
        archived = client_files.thread.archived
        pinned = client_files.thread.pinned
        tags = client_files.thread.tags
        createdAt : when the two began to work together
        updatedAt < messages.coach.sent_at messages.athlete.sent_at
    """,
    "AIInsight": """
        id : the id of the record
        clientId = insights.athlete_id
        coachId : whose private scope the record is in
        type = insights.type
        priority = insights.priority
        title = insights.title
        summary = insights.summary
        recommendations = insights.recommendations
        reasoning = insights.reasoning
        data = insights.facts insights.findings
        suggestedActions.label = insights.suggested_actions.label
        suggestedActions.action = insights.suggested_actions.action
        suggestedActions.params = insights.suggested_actions.params
        dismissed < insights.status
        dismissedReason = insights.dismissed_reason
        actedUpon < insights.acted_at
        actedAt = insights.acted_at
        model = insights.worded_by insights.model_name
        confidence = insights.confidence
        createdAt = insights.created_at
        expiresAt = insights.expires_at
    """,
}
"""By model of the blueprint (chapter 2)."""
