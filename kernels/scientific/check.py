"""What the scientific kernel must be able to do. `build.py check` runs this in a kernel that it starts."""
import io

import ipywidgets
import matplotlib.figure
import numpy as np
import pandas as pd
import scipy
from scipy.optimize import brentq

assert abs(brentq(np.cos, 0, 3) - np.pi / 2) < 1e-9
assert pd.read_csv(io.StringIO("sex,age\nf,1\nf,3\nm,5")).groupby("sex").age.mean().tolist() == [2, 5]
assert ipywidgets.IntSlider(value=3).value == 3
figure = matplotlib.figure.Figure()
figure.subplots().plot([1, 2])
figure.savefig(png := io.BytesIO())
assert png.getvalue().startswith(b"\x89PNG")
print(f"numpy {np.__version__}, scipy {scipy.__version__}, "
      f"pandas {pd.__version__}, matplotlib {matplotlib.__version__}")
