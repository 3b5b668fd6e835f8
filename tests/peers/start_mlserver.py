"""Starts a stock MLServer on free loopback ports with tests/peers/onnx_model.py as its runtime.

usage: start_mlserver.py FOLDER NAME MODEL.onnx     (FOLDER is written to)
Prints the port of its gRPC service, then becomes the server.
"""
import json
import os
import pathlib
import socket
import sys

folder, name, model = pathlib.Path(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3])
sockets = [socket.socket() for _ in range(3)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
http, grpc, metrics = (s.getsockname()[1] for s in sockets)
for s in sockets:
    s.close()
(folder / "settings.json").write_text(json.dumps({
    "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
    "parallel_workers": 0, "use_structured_logging": False, "debug": False}))
(folder / "model-settings.json").write_text(json.dumps({
    "name": name, "implementation": "onnx_model.OnnxModel",
    "parameters": {"uri": model}}))
here = os.path.dirname(os.path.abspath(__file__))
os.environ["PYTHONPATH"] = here
print(grpc, flush=True)
os.dup2(2, 1)  # what the server says is no answer to the test
os.execv(sys.executable, [sys.executable, "-W", "ignore", "-c",
                          "from mlserver.cli import main; main()", "start", str(folder)])
