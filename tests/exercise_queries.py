"""What people type into a search for exercises, and what they mean: alike on every device and server."""

QUERIES = {
    "Bench Press (Barbell)": "Barbell Bench Press",
    "benchpress": "Barbell Bench Press",
    "bnech press": "Barbell Bench Press",
    "bulgarien split squat": "Bulgarian Split Squat",
    "db row": "One-Arm Dumbbell Row",
    "dedlift": "Barbell Deadlift",
    "facepull": "Cable Face Pull",
    "goblet": "Goblet Squat",
    "hip thurst": "Barbell Hip Thrust",
    "kreuzheben": "Barbell Deadlift",
    "lat pul down": "Lat Pulldown",
    "lateral raises cable": "Cable Lateral Raise",
    "ohp": "Barbell Overhead Press",
    "pullup": "Pull-Up",
    "rdl": "Romanian Deadlift",
    "schulterdrücken": "Barbell Overhead Press",
    "skull crushers": "EZ-Bar Skullcrusher",
    "tricep push down": "Triceps Pushdown",
    "bizeps": "Dumbbell Curl",
    "sqaut": "Barbell Back Squat",
    "lnuge": "Bodyweight Lunge",
    "lpank": "Plank",
    "rwo": "Machine Low Row",
    "orw": "Machine Low Row",
    "crul": "Dumbbell Curl",
}
"""Names run together, letters swapped and left out, abbreviations, other apps' names, German."""

NOTHING = ("zzzz", "…", "qwertz uiop")
"""What finds nothing, rather than anything."""
