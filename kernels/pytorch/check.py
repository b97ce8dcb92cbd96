"""What the PyTorch kernel must be able to do. `build.py check` runs this in a kernel that it starts."""
import onnxruntime
import torch
import torchvision

product = torch.ones(2, 3) @ torch.ones(3, 2)
assert product.tolist() == [[3, 3], [3, 3]], product
# A compiled operator: where torch and torchvision do not belong together it is missing.
kept = torchvision.ops.nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), torch.tensor([0.5, 0.9]), 0.5)
assert kept.tolist() == [1], kept
assert "CPUExecutionProvider" in onnxruntime.get_available_providers(), onnxruntime.get_available_providers()
layer = torch.nn.Linear(3, 1)
layer(torch.ones(4, 3)).sum().backward()
assert layer.weight.grad.tolist() == [[4, 4, 4]], layer.weight.grad
print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, "
      f"{torch.get_num_threads()} threads, {torch.cuda.device_count()} GPUs")
