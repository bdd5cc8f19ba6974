"""The page: the only package that knows Gradio and HTTP; it asks the toolkit for everything else."""
