"""How Sphinx builds the site of these pages: ``bash ci/docs.sh``, or ``sphinx-build docs site``.

Pages are Markdown (myst), the reference is made of docstrings (numpydoc), the gallery is run (sphinx-gallery). Nothing
is fetched. ``FASTGMM_DOCS_GALLERY=0`` leaves the gallery's scripts unrun.
"""

import os

from fastgmm.version import __version__

project = "fastgmm"
author = "the developers of fastgmm"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx.ext.mathjax"]
extensions += ["sphinx_gallery.gen_gallery"]
templates_path = ["_templates"]
exclude_patterns = ["gallery", "_build", "auto_gallery/*.ipynb", "auto_gallery/*.py", "auto_gallery/*.json"]
# What is no Python on a page, as a drawing of boxes, is not colored as if it were.
highlight_language = "none"

# Headings are anchors, as they are where the pages are read in the repository.
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# The template of classes lists their methods.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "plot_gallery": os.environ.get("FASTGMM_DOCS_GALLERY", "1") != "0",
    # A script that fails is an error of the build.
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = f"fastgmm {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
