"""What happens to a guided prediction on its way back to the pipeline: row transforms of a job's seat."""

from __future__ import annotations

import torch

from toolkit.engine.denoiser import Predict, Transform
from toolkit.engine.merging import Inputs


def rescaled(guidance: float, share: float) -> Transform:
    """Bring the contrast of guided predictions back to that of the unguided ones (Lin et al. 2023, section 3.4).

    Every pipeline computes u + guidance × (c − u) from the halves (u, c) of the rows; both halves are replaced by the
    rescaled result, which that formula then leaves as it is. `share` in [0, 1] is how much of it is taken.
    """

    def transform(predict: Predict, inputs: Inputs) -> torch.Tensor:
        predicted = predict(inputs).float()
        if guidance <= 1:
            return predicted
        unguided, prompted = predicted.chunk(2)
        guided = unguided + guidance * (prompted - unguided)
        contrast = [part.std(dim=(1, 2, 3), keepdim=True) for part in (prompted, guided)]
        result = guided * (share * contrast[0] / contrast[1] + 1 - share)
        return torch.cat([result, result])

    return transform
