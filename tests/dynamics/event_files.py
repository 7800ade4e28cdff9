"""TensorBoard event files, written by the tensorboard package's own writer."""

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto


def scalar(tag, value):
    """As PyTorch writes it."""
    return Summary.Value(tag=tag, simple_value=value)


def tensor(tag, value):
    """As TensorFlow 2 and Keras write it."""
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
    return Summary.Value(tag=tag, tensor=make_tensor_proto(value, dtype="float32"), metadata=metadata)


def event(step, *values, time=1.7e9):
    return Event(wall_time=time + step, step=step, summary=Summary(value=values))


def write_events(folder, events, suffix=""):
    """Write one event file, and give its path."""
    before = set(folder.glob("*")) if folder.exists() else set()
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    for one in events:
        writer.add_event(one)
    writer.close()
    (path,) = set(folder.glob("*tfevents*")) - before
    return path
