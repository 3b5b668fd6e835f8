"""A runtime for MLServer in a few lines: ONNX Runtime behind the protocol's tensors."""
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {t.name: NumpyCodec.decode_input(t) for t in payload.inputs}
        names = [o.name for o in self.session.get_outputs()]
        outputs = self.session.run(names, given)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(n, o) for n, o in zip(names, outputs)])
