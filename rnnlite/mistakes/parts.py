"""Mistakes around the cells: loss, dense, embedding, Adam, clipping, dropout, lengths."""

from rnnlite.mistakes.mistake import listed

SOFTMAX = "Bridle 1990; rnnlite/reference/cross_entropy.py"
DENSE = "Rumelhart, Hinton & Williams 1986; rnnlite/reference/dense.py"
EMBEDDING = "Bengio, Ducharme, Vincent & Jauvin 2003, the matrix C"
ADAM = "Kingma & Ba 2015, algorithm 1; rnnlite/reference/adam.py"
CLIPPING = "Pascanu, Mikolov & Bengio 2013, algorithm 1"
DROPOUT = "Srivastava et al. 2014, section 10; Gal & Ghahramani 2016"
LENGTHS = "docs/shapes_of_use.md; rnnlite/reference/__init__.py, lengths"

LOSSES = (
    *listed("softmax_cross_entropy", SOFTMAX, [
        ("loss-gradient-not-averaged", "dlogits = (p - q) / len(logits)", "dlogits = p - q",
         "the gradient had not been divided by the batch size",
         "The loss is a mean over the rows, so its gradient is (p - q) / rows."),
        ("loss-gradient-averaged-twice", "dlogits = (p - q) / len(logits)",
         "dlogits = (p - q) / len(logits) ** 2",
         "the gradient had been divided by the batch size twice",
         "The loss is a mean over the rows: divide once, in the loss, and nowhere behind it."),
        ("loss-gradient-sign", "dlogits = (p - q) / len(logits)", "dlogits = (q - p) / len(logits)",
         "the sign of the gradient had been turned",
         "To lower the loss, the label's logit goes up: its gradient p - 1 is negative."),
        ("loss-slope-of-softmax-twice", "dlogits = (p - q) / len(logits)",
         "dlogits = (p - q) * p * (1 - p) / len(logits)",
         "p - q had been multiplied by p (1 - p) once more",
         "p - q is the derivative by the logits already: the softmax's is in it."),
        ("loss-without-softmax", "dlogits = (p - q) / len(logits)",
         "dlogits = (logits - q) / len(logits)",
         "the gradient had been taken of logits - q, not p - q",
         "p is the softmax of the logits: (p - q) / rows."),
        ("loss-not-averaged", "loss = -(q * log_p).sum() / len(logits)",
         "loss = -(q * log_p).sum()",
         "the loss were the sum over the rows, not their mean",
         "A mean does not depend on the batch size, nor does the step length then."),
        ("loss-averaged-over-classes", "loss = -(q * log_p).sum() / len(logits)",
         "loss = -(q * log_p).mean()",
         "the loss had been divided by rows times classes",
         "Only the label's class counts in a row: the mean is over rows."),
        ("loss-sign", "loss = -(q * log_p).sum() / len(logits)",
         "loss = (q * log_p).sum() / len(logits)",
         "the sign of the loss had been turned",
         "log p is negative, and the loss is -log p: 0 for a certain right answer."),
        ("softmax-over-the-batch",
         "p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)",
         "p = np.exp(shifted) / np.exp(shifted).sum()",
         "the softmax had been divided by the sum over the whole batch",
         "Each row is a distribution of its own: it sums to 1."),
        ("softmax-overflows", "shifted = logits - logits.max(axis=1, keepdims=True)",
         "shifted = logits",
         "the largest logit had not been subtracted, so that exp overflows",
         "exp(1000) is infinite; the softmax of a - max a is the same and is safe."),
    ]),
)  # fmt: skip

LAYERS = (
    *listed("dense_forward", DENSE, [
        ("dense-no-bias", "y = x @ W + b", "y = x @ W",
         "the bias had been left out", "y = x W + b: without b all outputs of x = 0 are 0."),
    ]),
    *listed("dense_backward", DENSE, [
        ("dense-db-averaged", "db = dy.sum(axis=0)", "db = dy.mean(axis=0)",
         "db were the mean over the rows, not the sum",
         "Every row adds b: its gradients add up, and the loss has taken the mean already."),
        ("dense-db-of-one-row", "db = dy.sum(axis=0)", "db = dy[0]",
         "db were that of the first row alone",
         "Every row adds b: its gradients add up."),
        ("dense-dW-averaged", "dW = x.T @ dy", "dW = x.T @ dy / len(x)",
         "dW had been divided by the number of rows once more",
         "The loss is a mean over the batch already, so dy is."),
    ]),
    *listed("embedding_forward", EMBEDDING, [
        ("embedding-from-one", "y = W[indices]", "y = W[indices - 1]",
         "rows of the table were counted from 1",
         "Index 0 is the first row; -1 would be the last one, without an error."),
    ]),
    *listed("embedding_backward", EMBEDDING, [
        ("embedding-repeats-lost", "np.add.at(dW, indices, dy)", "dW[indices] += dy",
         "a row that was read several times had the gradient of its last reading alone",
         "dW[indices] += dy writes each row once; np.add.at adds up."),
        ("embedding-averaged", "np.add.at(dW, indices, dy)",
         "np.add.at(dW, indices, dy / len(indices))",
         "dW had been divided by the number of indices once more",
         "The loss is a mean over the batch already, so dy is."),
    ]),
)  # fmt: skip

OPTIMIZERS = (
    *listed("adam_step", ADAM, [
        ("adam-v-not-squared", "v = beta2 * v + (1 - beta2) * g**2",
         "v = beta2 * v + (1 - beta2) * g",
         "v had been the mean of g, not of g squared",
         "v is the mean of g^2: only then is sqrt(v) a length."),
        ("adam-m-not-weighted", "m = beta1 * m + (1 - beta1) * g", "m = beta1 * m + g",
         "the factor 1 - beta1 had been left out of m",
         "m is a mean of past gradients: weights that sum to 1."),
        ("adam-m-squared", "m = beta1 * m + (1 - beta1) * g", "m = beta1 * m + (1 - beta1) * g**2",
         "m had been the mean of g squared", "m is the mean of g: it has a direction."),
        ("adam-betas-exchanged", "m = beta1 * m + (1 - beta1) * g",
         "m = beta2 * m + (1 - beta2) * g",
         "beta2 had been used for m",
         "beta1 = 0.9 belongs to the mean of g, beta2 = 0.999 to that of g^2."),
        ("adam-m-not-corrected", "m_hat = m / (1 - beta1**t)", "m_hat = m",
         "the bias of m had not been corrected",
         "m starts at 0: after one step it is a tenth of g, and m / (1 - beta1^t) undoes that."),
        ("adam-v-not-corrected", "v_hat = v / (1 - beta2**t)", "v_hat = v",
         "the bias of v had not been corrected",
         "v starts at 0: the first steps would be thirty times too long."),
        ("adam-correction-without-t", "m_hat = m / (1 - beta1**t)", "m_hat = m / (1 - beta1)",
         "the bias correction had forgotten the power t",
         "The bias fades: 1 - beta1^t goes to 1."),
        ("adam-t-one-late", "m_hat = m / (1 - beta1**t)", "m_hat = m / (1 - beta1 ** (t + 1))",
         "the bias correction counted one step too many",
         "t is 1 at the first step: after it, 1 - beta1 of g is in m."),
        ("adam-eps-in-the-root", "p = p - lr * m_hat / (np.sqrt(v_hat) + eps)",
         "p = p - lr * m_hat / np.sqrt(v_hat + eps)",
         "eps stood inside the square root",
         "Algorithm 1 adds eps to the root; inside, 1e-8 acts like 1e-4."),
        ("adam-no-root", "p = p - lr * m_hat / (np.sqrt(v_hat) + eps)",
         "p = p - lr * m_hat / (v_hat + eps)",
         "the square root had been left out",
         "v has the unit of g^2; the step has length lr only with its root."),
        ("adam-uphill", "p = p - lr * m_hat / (np.sqrt(v_hat) + eps)",
         "p = p + lr * m_hat / (np.sqrt(v_hat) + eps)",
         "the step went along the gradient, uphill", "The loss falls against its gradient."),
    ]),
    *listed("clip_gradients", CLIPPING, [
        ("clip-each-array", "return [g * scale for g in grads]",
         "return [g * min(1.0, max_norm / np.linalg.norm(g)) for g in grads]",
         "each array had been clipped by its own norm",
         "One norm over all arrays keeps the direction of the step."),
        ("clip-by-value", "return [g * scale for g in grads]",
         "return [np.clip(g, -max_norm, max_norm) for g in grads]",
         "each number had been clipped by itself",
         "Clipping numbers turns the step; scaling all of them shortens it."),
        ("clip-always", "scale = max_norm / norm if norm > max_norm else 1.0",
         "scale = max_norm / norm",
         "gradients shorter than max_norm had been scaled up",
         "Clipping shortens what is too long and leaves the rest as it is."),
        ("clip-no-root", "norm = np.sqrt(sum(np.sum(g**2) for g in grads))",
         "norm = sum(np.sum(g**2) for g in grads)",
         "the square root of the norm had been left out",
         "The norm is the root of the sum of squares."),
        ("clip-sum-of-norms", "norm = np.sqrt(sum(np.sum(g**2) for g in grads))",
         "norm = sum(np.sqrt(np.sum(g**2)) for g in grads)",
         "the norms of the arrays had been added up",
         "The common norm is the root of the sum of all squares."),
    ]),
)  # fmt: skip

DROPOUTS = (
    *listed("dropout_mask", DROPOUT, [
        ("dropout-not-scaled", "mask = (draws >= rate) / (1 - rate)",
         "mask = (draws >= rate) * 1.0",
         "what stays had not been scaled by 1 / (1 - rate)",
         "Then the mean of y would be another one in training than afterwards."),
        ("dropout-exchanged", "mask = (draws >= rate) / (1 - rate)",
         "mask = (draws < rate) / (1 - rate)",
         "what should have been dropped had stayed",
         "Numbers are dropped with probability rate: where the draw is below it."),
        ("dropout-scaled-by-rate", "mask = (draws >= rate) / (1 - rate)",
         "mask = (draws >= rate) / rate",
         "what stays had been divided by rate, not 1 - rate",
         "A share of 1 - rate stays: 1 / (1 - rate) keeps the mean."),
    ]),
    *listed("dropout_forward dropout_backward", DROPOUT, [
        ("dropout-new-mask-each-step", "mask = dropout_mask(draws[:, :1], rate)",
         "mask = dropout_mask(draws, rate)",
         "a new mask had been drawn at every step",
         "One mask for all steps of a row: a recurrent state is not shaken anew each time."),
    ]),
    *listed("dropout_forward", DROPOUT, [
        ("dropout-outside-training", "if not training:", "if False:",
         "numbers had been dropped outside training",
         "Dropout is noise for training; answers use all units."),
    ]),
    *listed("dropout_backward", DROPOUT, [
        ("dropout-mask-forgotten", "dx = dy * mask", "dx = dy",
         "the mask had been forgotten on the way back",
         "y = x m: the derivative by x is m, 0 for what was dropped."),
    ]),
)  # fmt: skip

ROWS = (
    *listed("last_valid", LENGTHS, [
        ("last-step-is-padding", "y = h[rows, lengths - 1]", "y = h[:, -1]",
         "the last step of the array had been taken, padding or not",
         "A row of length n ends at step n - 1."),
        ("last-step-one-late", "y = h[rows, lengths - 1]", "y = h[rows, lengths % h.shape[1]]",
         "the step behind the last valid one had been taken",
         "Steps are counted from 0: a row of length n ends at step n - 1."),
    ]),
    *listed("last_valid_backward", LENGTHS, [
        ("last-step-gradient-to-padding", "dh[rows, lengths - 1] = dy", "dh[:, -1] = dy",
         "the gradient had gone to the last step of the array, padding or not",
         "A row of length n ends at step n - 1: that step was shown, so it gets the gradient."),
    ]),
    *listed("masked_mean", LENGTHS, [
        ("mean-counts-padding", "count = valid.sum()", "count = losses.size",
         "padded steps had been counted in the mean",
         "With them the loss gets smaller the more padding there is."),
        ("mean-one-step-too-many", "valid = np.arange(losses.shape[1]) < lengths[:, None]",
         "valid = np.arange(losses.shape[1]) <= lengths[:, None]",
         "one padded step of each row had been taken for valid",
         "Steps are counted from 0: valid ones are t < length."),
        ("mean-padding-leaks", "loss = np.where(valid, losses, 0).sum() / count",
         "loss = losses.sum() / count",
         "the losses of padded steps had been added",
         "What stands in the padding must not count."),
    ]),
    *listed("reverse", LENGTHS, [
        ("reverse-padding-first", "y[n, :length] = x[n, :length][::-1]", "y[n] = x[n][::-1]",
         "the padding had been reversed with the row and come first",
         "Reading backwards begins at a row's last valid step."),
    ]),
)  # fmt: skip

PARTS = LOSSES + LAYERS + OPTIMIZERS + DROPOUTS + ROWS
