"""What people type, and the food they mean: asked of the ranking, of the server, and of a device, with one answer."""

QUERIES = {
    "oats": "Rolled oats, dry",
    "haferfloken": "Rolled oats, dry",
    "chiken breast": "Chicken breast, roasted",
    "hähnchenbrust": "Chicken breast, roasted",
    "greek yoghurt": "Greek yogurt, whole milk",
    "brocoli": "Broccoli, raw",
    "peanutbutter": "Peanut butter",
    "egg": "Egg, raw",
    "boiled eggs": "Egg, boiled",
    "bananna": "Banana",
    "magerquark": "Curd cheese, fat-free",
    "cottagecheese 1%": "Cottage cheese, 1% fat",
    "rice cooked": "White rice, cooked",
    "sweet potatoe": "Sweet potato, baked",
    "whey": "Whey protein powder",
    "olive oil": "Olive oil",
    "zuchini": "Courgette, raw",
    "youghurt": "Greek yogurt, whole milk",
    "mlik": "Soy milk",
    "otfu": "Tofu, firm",
}

NOTHING = ("xqzw", "dumbbell curl", "…")
