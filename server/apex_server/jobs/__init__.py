"""What happens after a sync: records that changed are analysed, and what a coach approves reaches the athlete.

Web processes use `publishing` and `requests`; only the worker process (`worker`) imports the queue and the model.
"""
