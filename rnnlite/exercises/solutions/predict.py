"""What one may expect."""


def predict():
    """What you expect."""
    return {
        "gradient_small": "shrinks",
        "gradient_large": "grows",
        "first_loss": 2.3,
        "parameters": 4 * 128 * (28 + 128 + 1),
        "left_after_20": 0.0019,
    }
