// Runs an ONNX file of sr_keras by the C++ interface of ONNX Runtime.
//
//   g++ -std=c++17 -O2 export/read_onnx.cpp -I$ORT/include -L$ORT/lib -lonnxruntime -o read_onnx
//   ./read_onnx MODEL IMAGES.f32 BATCH HEIGHT WIDTH RESULT.f32
//
// IMAGES.f32 holds BATCH x HEIGHT x WIDTH float32, row by row, scaled to 0..1 as the file's manifest says.
#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

int main(int count, char** words) {
  if (count != 7) {
    std::fprintf(stderr, "usage: read_onnx MODEL IMAGES.f32 BATCH HEIGHT WIDTH RESULT.f32\n");
    return 2;
  }
  const std::vector<int64_t> shape{std::atoll(words[3]), std::atoll(words[4]), std::atoll(words[5]), 1};
  std::vector<float> images(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
  std::ifstream source(words[2], std::ios::binary);
  if (!source.read(reinterpret_cast<char*>(images.data()), static_cast<std::streamsize>(images.size() * sizeof(float)))) {
    std::fprintf(stderr, "%s must hold %zu float32\n", words[2], images.size());
    return 1;
  }
  try {
    Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "sr_keras");
    Ort::Session session(environment, words[1], Ort::SessionOptions{});
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Value lr = Ort::Value::CreateTensor<float>(memory, images.data(), images.size(), shape.data(), shape.size());
    const char* inputs[] = {"lr"};
    const char* outputs[] = {"final"};
    const auto results = session.Run(Ort::RunOptions{}, inputs, &lr, 1, outputs, 1);
    const size_t length = results[0].GetTensorTypeAndShapeInfo().GetElementCount();
    std::ofstream target(words[6], std::ios::binary);
    target.write(reinterpret_cast<const char*>(results[0].GetTensorData<float>()),
                 static_cast<std::streamsize>(length * sizeof(float)));
    return target ? 0 : 1;
  } catch (const Ort::Exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
