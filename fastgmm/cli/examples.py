"""What the help of each command ends in: the command as it is typed."""

FIRST_STEPS = """\
  fastgmm demo                                   a million points, fitted and drawn
  fastgmm fit points.csv -k 3                    look at a mixture
  fastgmm fit points.csv -k 3 -o model.npz       keep it
  fastgmm predict model.npz points.csv -o labels.csv
  fastgmm fit --help                             all about a command
"""
_OF_SITES = """\
an iteration of EM over rows at two sites, none of which leaves its own:

  fastgmm accumulate model.npz here.csv -o here.npz
  fastgmm accumulate model.npz there.csv -o there.npz
  fastgmm merge here.npz there.npz -o total.npz
  fastgmm maximize model.npz total.npz -o next-model.npz
"""

EXAMPLES = {
    "fit": """\
  fastgmm fit points.csv -k 3                    look at a mixture
  fastgmm fit points.parquet -k 16 -o model.npz     keep it
  fastgmm fit flights.csv -k 8 --columns numeric    leave out columns of text

rows beyond memory in a directory of files, which are decoded once; a fit that was killed goes on:

  fastgmm fit folder -k 16 -o model.npz --weight w --cache scratch --checkpoint fit.npz
""",
    "select": """\
  fastgmm select points.csv
  fastgmm select points.parquet -k 1..20 --criterion icl -o best.npz --plot criterion.png
  fastgmm select points.csv -k 2,4,8 --covariance-type full,tied --table candidates.csv
""",
    "predict": """\
  fastgmm predict model.npz points.csv -o labels.csv
  fastgmm predict model.npz points.npy --proba -o probabilities.npy

rows beyond memory, whose results are written as they come:

  fastgmm predict model.npz folder -o labels.parquet
""",
    "score": """\
  fastgmm score model.npz points.csv
  fastgmm score model.npz points.csv -o densities.csv

rows beyond memory:

  fastgmm score model.npz folder --weight w
""",
    "impute": """\
  fastgmm impute model.npz holes.csv -o filled.csv
  fastgmm impute model.npz holes.csv --draws 20 --seed 1 -o draws.parquet
""",
    "regress": """\
  fastgmm regress model.npz points.csv --given eruptions --target waiting -o expected.csv
  fastgmm regress model.npz points.csv --given eruptions --std
""",
    "outliers": """\
  fastgmm outliers model.npz points.csv --alpha 1e-4
  fastgmm outliers model.npz points.csv -o p_values.csv
""",
    "sample": """\
  fastgmm sample model.npz -n 1000 -o points.csv
  fastgmm sample model.npz -n 1000 | fastgmm fit - -k 3
""",
    **dict.fromkeys(("accumulate", "merge", "maximize"), _OF_SITES),
    "plot": """\
  fastgmm plot model.npz points.csv -o picture.png
  fastgmm plot model.npz points.csv --features eruptions,waiting --kind density -o density.png
""",
    "export": """\
  fastgmm export model.npz -o model.onnx
  fastgmm export model.npz -o model.onnx --dtype float32
""",
    "info": """\
  fastgmm info model.npz
  fastgmm info model.npz --json
""",
    "demo": """\
  fastgmm demo --rows 100000 --picture demo.png
""",
}
