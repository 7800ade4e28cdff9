"""What the viewer of a pair is sent, as tests look at it."""

import base64
import json

import numpy as np


def viewed(at):
    """The data of the one viewer on screen."""
    found = [one.proto for one in at.get("bidi_component")]
    (data,) = [json.loads(proto.json) for proto in found if proto.component_name == "rice_ssl_pair_viewer"]
    return data


def grids(sensor):
    """A sensor's maps, shape (classes, h, w), as the browser reads them; None where it has none."""
    if sensor["maps"] is None:
        return None
    return np.frombuffer(base64.b64decode(sensor["maps"]), dtype="<f4").reshape(sensor["shape"])
