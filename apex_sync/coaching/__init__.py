"""Pure coaching arithmetic and rules: what the merged logs mean, computed anew each time and never stored as truth.

Every function here takes records (or what was read from them) and a date, and gives the same bytes for the same
input: no clock, no randomness, no text of a model. Nothing is medical advice; every rule speaks to a coach, who
decides.

| module | what it answers |
|---|---|
| `sets`, `exposures` | which sets were done, which of them count, grouped by exercise and session |
| `strength` | estimated one-rep maximum |
| `session`, `exercise_totals`, `records` | totals of a session and of each exercise in it, personal records |
| `body_weight_lifts` | what a pull-up or a dip moves, with the body weight of its day |
| `increments`, `progression` | the next load of an exercise: progress, maintain or deload |
| `plateau`, `recovery`, `notes` | stagnation, signs of fatigue, words in notes that a coach must read |
| `muscles`, `volume` | weekly sets of a muscle against published landmarks |
| `exercise_library`, `food_library` | what is built in |
| `names`, `name_search`, `exercise_search`, `food_search` | when two names mean one thing, and what a search finds |
| `bodyweight`, `adherence`, `strain` | weight trend, sessions done against planned, check-in scores |
| `questionnaires` | what a coach asked besides, what was answered, and which answers are amiss |
| `client_standing` | a client's status, adherence, and when the next check-in is due |
| `nutrition` | what a day of eating adds up to, and how well it met its targets |
| `portions`, `barcodes` | what was typed of a food, and what is printed on its package |
| `meal_planning`, `plates`, `portion_fitting` | meals that meet targets: of which foods, and how much of each |
| `profile`, `plan`, `history` | what a rule knows of the athlete, the program and the logs |
| `assigning`, `completion` | a program made for an athlete, and how far they have come with it |
| `rules`, `finding` | the catalogue of rules, and what one of them finds, with the facts behind it |
| `checkin`, `*_findings` | the rules turned into findings |
| `insight` | the two entry points: `analyse_check_in` and `analyse_training` |

Tags at the constants say where a number comes from: [V] looked up at the source named, [R] widely quoted and not
checked again, [D] a default of this project that no source fixes.
"""
