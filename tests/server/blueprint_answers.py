"""Where each field of the blueprint's models stands in the answers of the REST API.

The first line names the answer and, behind `>`, where in it the model is; then come the fields that are not called
there what they are called in the blueprint, in snake_case, or as the leaf that `blueprint_fields.py` names.

field = path       where it stands instead, from the model on; from the whole answer with `/` before it
field : words      it is in no answer, and why
"""

from collections.abc import Mapping

__all__ = ["ANSWERS"]

ANSWERS: Mapping[str, str] = {
    "Client": """
        GET /api/clients/{athlete_id}
        userId = id
        phone = profile.phone
        avatar = profile.avatar_media_id
        dateOfBirth = profile.date_of_birth
        profile.age = profile.age_years
        profile.gender = profile.gender
        profile.trainingAge = profile.training_age_years
        profile.goals = profile.goals
        profile.weakPoints = profile.weak_points
        profile.injuries = profile.injuries
        profile.nutritionHabits = profile.nutrition_habits
        profile.volumeTolerance = profile.volume_tolerance
        profile.recoveryStatus = profile.recovery_status
        profile.preferences.equipment = profile.equipment
        profile.preferences.trainingDaysPerWeek = profile.training_days_per_week
        profile.preferences.sessionDuration = profile.session_duration_minutes
        metrics.currentWeight = metrics.weight.trend_kg
        metrics.targetWeight = metrics.target_weight_kg
        metrics.height = metrics.height_cm
        metrics.bodyFat = metrics.body_fat_percent.value
        metrics.measurements = metrics.girths_cm
        metrics.weeklyWeightChange = metrics.weight.kg_per_week
        adherence.workoutCompliance = adherence.workouts
        adherence.nutritionCompliance = adherence.nutrition
        adherence.checkInCompliance = adherence.check_ins
        adherence.averageSessionDuration = average_session_minutes
        currentProgram = current_program_id
        createdAt = profile.created_at
    """,
    "Injury": "GET /api/clients/{athlete_id} > profile.injuries",
    "Program": """
        GET /api/programs/{program_id}
        clientId = athlete_id
        parameters.deloadWeeks = weeks.deload
        coachNotes = /GET /api/clients/{athlete_id} > file.program_notes.notes
        analytics.completionRate = analytics.completion_percent
        analytics.averageRPE = analytics.average_rpe
        analytics.totalVolumeLoad = analytics.total_volume_load_kg
    """,
    "Week": """
        GET /api/programs/{program_id} > weeks
        days = /GET /api/programs/{program_id} > days.week
    """,
    "TrainingDay": """
        GET /api/programs/{program_id} > days
        exercises = /GET /api/programs/{program_id} > exercises.day
    """,
    "Exercise": """
        GET /api/exercises/{exercise_id}
        sets = /GET /api/programs/{program_id} > sets.exercise
        restPeriod = /GET /api/programs/{program_id} > exercises.rest_seconds
        tempo = /GET /api/programs/{program_id} > exercises.tempo
        supersetWith = /GET /api/programs/{program_id} > exercises.superset
        circuitOrder = /GET /api/programs/{program_id} > exercises.circuit_order
        dropset = /GET /api/programs/{program_id} > exercises.dropset
        notes = /GET /api/programs/{program_id} > exercises.notes
    """,
    "ExerciseSet": "GET /api/programs/{program_id} > sets",
    "WorkoutLog": """
        GET /api/workouts/{workout_id}
        clientId = athlete_id
        totalVolumeLoad = total_volume_load_kg
    """,
    "LoggedExercise": "GET /api/workouts/{workout_id} > exercises",
    "LoggedSet": "GET /api/workouts/{workout_id} > exercises.sets",
    "CheckIn": """
        GET /api/checkins/{checkin_id}
        clientId = athlete_id
        coachId : it is handed in to every coach of the athlete alike; `GET /api/auth/me` names them
        responses.energy = responses.energy
        responses.hunger = responses.hunger
        responses.stress = responses.stress
        responses.sleep = responses.sleep
        responses.adherence = responses.adherence
        responses.enjoyment = responses.enjoyment
        responses.soreness = responses.soreness
        responses.motivation = responses.motivation
        aiFlags.type = ai_flags.type
        aiFlags.message = ai_flags.message
    """,
    "ProgressPhoto": "GET /api/progress/photos/{photo_id}",
    "Measurements": "GET /api/progress/metrics/{metric_id} > measurements",
    "NutritionLog": """
        GET /api/nutrition/logs/{log_id}
        clientId = athlete_id
    """,
    "Meal": """
        GET /api/nutrition/logs/{log_id} > meals
        id : the key under which it stands
        foods = /GET /api/nutrition/logs/{log_id} > foods.meal
        totalMacros = /GET /api/nutrition/logs/{log_id} > meal_totals
    """,
    "FoodItem": "GET /api/nutrition/logs/{log_id} > foods",
    "MacroTotals": "GET /api/nutrition/logs/{log_id} > targets",
    "Message": """
        GET /api/messages/threads/{thread_id} > messages
        senderRole = sender
    """,
    "MessageThread": """
        GET /api/messages/threads > threads
        participants.clientId = athlete_id
        unreadCount.coach = unread.coach
        unreadCount.client = unread.athlete
        updatedAt = last_message.sent_at
    """,
    "AIInsight": """
        GET /api/insights/{insight_id}
        suggestedActions.label = suggested_actions.label
        suggestedActions.action = suggested_actions.action
        suggestedActions.params = suggested_actions.facts
    """,
}
"""By model of the blueprint (chapter 2)."""
