// Runs a TensorRT (.engine) or TensorRT-RTX (.rtx) engine of sr_keras, on the GPU it was built for.
//
//   g++ -std=c++17 -O2 export/read_tensorrt.cpp -I$TRT/include -I$CUDA/include -L$TRT/lib -L$CUDA/lib64 \
//       -lnvinfer -lcudart -o read_tensorrt          (TensorRT-RTX: -ltensorrt_rtx in place of -lnvinfer)
//   ./read_tensorrt MODEL IMAGES.f32 BATCH HEIGHT WIDTH SCALE_HEIGHT SCALE_WIDTH RESULT.f32
//
// IMAGES.f32 holds BATCH x HEIGHT x WIDTH float32, row by row, scaled to 0..1 as the file's manifest says.
#include <NvInfer.h>
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

class Log : public nvinfer1::ILogger {
  void log(Severity severity, const char* message) noexcept override {
    if (severity <= Severity::kERROR) std::fprintf(stderr, "%s\n", message);
  }
};

static bool ok(cudaError_t error) {
  if (error != cudaSuccess) std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  return error == cudaSuccess;
}

int main(int count, char** words) {
  if (count != 9) {
    std::fprintf(stderr,
                 "usage: read_tensorrt MODEL IMAGES.f32 BATCH HEIGHT WIDTH SCALE_HEIGHT SCALE_WIDTH RESULT.f32\n");
    return 2;
  }
  const int batch = std::atoi(words[3]), height = std::atoi(words[4]), width = std::atoi(words[5]);
  std::vector<float> images(static_cast<size_t>(batch) * height * width);
  std::vector<float> final(images.size() * std::atoi(words[6]) * std::atoi(words[7]));
  std::ifstream source(words[2], std::ios::binary);
  if (!source.read(reinterpret_cast<char*>(images.data()), static_cast<std::streamsize>(images.size() * sizeof(float)))) {
    std::fprintf(stderr, "%s must hold %zu float32\n", words[2], images.size());
    return 1;
  }
  std::ifstream file(words[1], std::ios::binary);
  const std::vector<char> plan(std::istreambuf_iterator<char>(file), {});
  Log log;
  std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(log));
  if (!runtime) return 1;
  std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan.data(), plan.size()));
  if (!engine) return 1;
  std::unique_ptr<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  if (!context || !context->setInputShape("lr", nvinfer1::Dims4(batch, height, width, 1))) return 1;
  void *lr = nullptr, *result = nullptr;
  cudaStream_t stream = nullptr;
  const size_t bytes = images.size() * sizeof(float), result_bytes = final.size() * sizeof(float);
  bool done = ok(cudaStreamCreate(&stream)) && ok(cudaMalloc(&lr, bytes)) && ok(cudaMalloc(&result, result_bytes)) &&
              ok(cudaMemcpyAsync(lr, images.data(), bytes, cudaMemcpyHostToDevice, stream)) &&
              context->setTensorAddress("lr", lr) && context->setTensorAddress("final", result) &&
              context->enqueueV3(stream) &&
              ok(cudaMemcpyAsync(final.data(), result, result_bytes, cudaMemcpyDeviceToHost, stream)) &&
              ok(cudaStreamSynchronize(stream));
  if (done) {
    std::ofstream target(words[8], std::ios::binary);
    target.write(reinterpret_cast<const char*>(final.data()), static_cast<std::streamsize>(result_bytes));
    done = static_cast<bool>(target);
  }
  cudaFree(lr);
  cudaFree(result);
  cudaStreamDestroy(stream);
  return done ? 0 : 1;
}
