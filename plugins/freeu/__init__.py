"""FreeU (Si et al. 2023, arXiv:2309.11497): stronger backbone, weaker skip connections in the last blocks."""

from contextlib import contextmanager

from toolkit.plugins.api import Number, Toggle, hookimpl


@hookimpl
def register_options():
    yield Toggle("on", "FreeU")
    yield Number("b1", "Backbone, first block", 1.1, 0.8, 2.0)
    yield Number("b2", "Backbone, second block", 1.2, 0.8, 2.0)
    yield Number("s1", "Skip, first block", 0.9, 0.0, 1.5)
    yield Number("s2", "Skip, second block", 0.2, 0.0, 1.5)


@hookimpl
def patch_denoiser(denoiser, request):
    options = request.extras["freeu"]
    if not options.get("on") or not hasattr(denoiser, "enable_freeu"):
        return None
    return patched(denoiser, {**{param.name: param.default for param in register_options()}, **options})


@contextmanager
def patched(denoiser, options):
    """diffusers has the arithmetic; on for this call only, because the denoiser is everybody's."""
    denoiser.enable_freeu(**{name: options[name] for name in ("s1", "s2", "b1", "b2")})
    try:
        yield
    finally:
        denoiser.disable_freeu()
