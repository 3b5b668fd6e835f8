"""Calls a nearfar node with the stock tritonclient, as its users do.

usage: triton_client.py ADDRESS MODEL MODEL_FILE PHOTO.png
Ends with status 0 when every answer is what docs/protocol.md says.
"""
import io
import sys

import numpy as np
import onnxruntime
import tritonclient.grpc as triton
from PIL import Image, ImageOps

address, model, model_file, photo_file = sys.argv[1:]
client = triton.InferenceServerClient(address)


def infer(name, array, datatype, **options):
    given = triton.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array)
    return client.infer(model, [given], client_timeout=30, **options)


def detections(answer):
    return {k: answer.as_numpy(k) for k in ("boxes", "scores", "labels", "names", "counts")}


def refused(status, says, call):
    try:
        call()
    except triton.InferenceServerException as error:
        assert status in str(error.status()), error
        assert says in error.message(), error
        assert "\n" not in error.message(), error
        return
    raise AssertionError("not refused: " + says)


# Health, metadata.
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready(model)
assert not client.is_model_ready("no-such-model")
assert client.get_server_metadata().name == "nearfar"
metadata = client.get_model_metadata(model)
session = onnxruntime.InferenceSession(model_file, providers=["CPUExecutionProvider"])
own_inputs, own_outputs = session.get_inputs(), session.get_outputs()
assert [t.name for t in metadata.inputs] == ["image", "pixels"] + [t.name for t in own_inputs]
assert [t.name for t in metadata.outputs][-len(own_outputs):] == [t.name for t in own_outputs]
config = client.get_model_config(model).config
labels = config.parameters["labels"].string_value.split()
assert len(labels) > 0 and len(config.parameters["model_hash"].string_value) == 16

# One PNG, and the same picture as pixels: the same boxes.
with open(photo_file, "rb") as file:
    png = file.read()
picture = Image.open(photo_file).convert("RGB")
parameters = {"frame_id": 7, "offset_x": 100}
answer = infer("image", np.array([png], dtype=np.object_), "BYTES", request_id="one",
               parameters=parameters)
found = detections(answer)
n = len(found["scores"])
assert n > 0
assert found["boxes"].shape == (n, 4) and found["boxes"].dtype == np.float32
assert found["labels"].dtype == np.int64 and found["counts"].tolist() == [n]
assert [labels[i].encode() for i in found["labels"]] == found["names"].tolist()
assert (np.diff(found["scores"]) <= 0).all()
assert (found["boxes"].min() >= 0) and (found["boxes"][:, 2].max() <= picture.width)
response = answer.get_response()
assert response.id == "one" and response.model_name == model
told = response.parameters
assert told["frame_id"].int64_param == 7 and told["offset_x"].int64_param == 100
assert told["compute_ns"].int64_param > 0 and told["queue_length"].int64_param == 0
assert told["queue_ns"].int64_param >= 0

rgb = np.asarray(picture)
same = detections(infer("pixels", rgb, "UINT8"))
for key in found:
    assert (found[key] == same[key]).all(), key
bgr = np.ascontiguousarray(rgb[:, :, ::-1])[np.newaxis]
same = detections(infer("pixels", bgr, "UINT8", parameters={"channel_order": "BGR"}))
assert (found["boxes"] == same["boxes"]).all()

# Two pictures in one request; the output of OpenVINO's detectors by name.
two = infer("image", np.array([png, png], dtype=np.object_), "BYTES",
            outputs=[triton.InferRequestedOutput("counts"),
                     triton.InferRequestedOutput("detection_out")])
assert two.as_numpy("counts").tolist() == [n, n] and two.as_numpy("boxes") is None
rows = two.as_numpy("detection_out")
assert rows.shape == (1, 1, 2 * n, 7)
assert np.allclose(rows[0, 0, n, 3] * picture.width, found["boxes"][0, 0], atol=1e-3)

# A JPEG that lies on its side, by its EXIF orientation: the boxes are in px of the upright picture.
side = picture.transpose(Image.Transpose.ROTATE_90)
exif = Image.Exif()
exif[0x0112] = 6  # "rotate by 90 degrees clockwise to show"
jpeg = io.BytesIO()
side.save(jpeg, "JPEG", quality=95, exif=exif.tobytes())
upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg.getvalue()))).convert("RGB")
assert upright.size == picture.size
turned = detections(infer("image", np.array([jpeg.getvalue()], dtype=np.object_), "BYTES"))
by_pixels = detections(infer("pixels", np.asarray(upright), "UINT8"))
assert abs(turned["boxes"][0] - by_pixels["boxes"][0]).max() < 3, (turned["boxes"][0], by_pixels["boxes"][0])
assert abs(turned["scores"][0] - by_pixels["scores"][0]) < 0.05

# The model's own tensors, against ONNX Runtime in Python.
shape = [d if isinstance(d, int) else 128 for d in own_inputs[0].shape]
tensor = np.random.default_rng(1).random(shape, dtype=np.float32)
answer = infer(own_inputs[0].name, tensor, "FP32")
for spec, want in zip(own_outputs, session.run(None, {own_inputs[0].name: tensor})):
    assert np.allclose(answer.as_numpy(spec.name), want, rtol=1e-4, atol=1e-4), spec.name

# Refusals, each in one line.
refused("INVALID_ARGUMENT", "image 1 of 1: ",
        lambda: infer("image", np.array([b"hello"], dtype=np.object_), "BYTES"))
refused("INVALID_ARGUMENT", "image 2 of 2: ",
        lambda: infer("image", np.array([png, png[:200]], dtype=np.object_), "BYTES"))
refused("INVALID_ARGUMENT", "the model takes FP32",
        lambda: infer(own_inputs[0].name, tensor[:, :, :, :1], "FP32"))
refused("NOT_FOUND", "no model 'nobody'", lambda: client.get_model_metadata("nobody"))
refused("UNIMPLEMENTED", "", client.get_model_repository_index)

# Statistics: 7 answered, 8 pictures and tensors, 3 failed.
statistics = client.get_inference_statistics(model).model_stats[0]
assert statistics.inference_stats.success.count == 7, statistics
assert statistics.inference_count == 8, statistics
assert statistics.inference_stats.fail.count == 3, statistics
assert statistics.inference_stats.compute_infer.ns > 0
assert len(client.get_inference_statistics().model_stats) == 2
client.close()
print("all as documented")
