"""The starter model: a small diffusion model of a flat world, trained from scratch on drawn scenes."""
