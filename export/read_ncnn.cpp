// Runs an ncnn file of sr_keras (.ncnn.param, with its .ncnn.bin beside it) by the C++ interface of ncnn.
//
//   g++ -std=c++17 -O2 export/read_ncnn.cpp -I$NCNN/include/ncnn -L$NCNN/lib -lncnn -lpthread -o read_ncnn
//   ./read_ncnn MODEL IMAGES.f32 BATCH HEIGHT WIDTH RESULT.f32
//
// IMAGES.f32 holds BATCH x HEIGHT x WIDTH float32, row by row, scaled to 0..1 as the file's manifest says. A library
// that was built with OpenMP or Vulkan needs -fopenmp or -lvulkan too.
#include <net.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

int main(int count, char** words) {
  if (count != 7) {
    std::fprintf(stderr, "usage: read_ncnn MODEL IMAGES.f32 BATCH HEIGHT WIDTH RESULT.f32\n");
    return 2;
  }
  const std::string param = words[1];
  const int batch = std::atoi(words[3]), height = std::atoi(words[4]), width = std::atoi(words[5]);
  ncnn::Net net;
  // By default ncnn computes in float16 where the device has it.
  net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = false;
  if (net.load_param(param.c_str()) || net.load_model((param.substr(0, param.rfind('.')) + ".bin").c_str())) return 1;
  std::ifstream source(words[2], std::ios::binary);
  std::ofstream target(words[6], std::ios::binary);
  std::vector<float> image(static_cast<size_t>(height) * width);
  for (int number = 0; number < batch; ++number) {
    if (!source.read(reinterpret_cast<char*>(image.data()), static_cast<std::streamsize>(image.size() * sizeof(float)))) {
      std::fprintf(stderr, "%s must hold %zu float32\n", words[2], image.size() * batch);
      return 1;
    }
    ncnn::Mat result;
    ncnn::Extractor extractor = net.create_extractor();
    if (extractor.input("lr", ncnn::Mat(width, height, 1, image.data())) || extractor.extract("final", result)) return 1;
    for (int row = 0; row < result.h; ++row) {
      target.write(reinterpret_cast<const char*>(result.channel(0).row(row)),
                   static_cast<std::streamsize>(result.w * sizeof(float)));
    }
  }
  return target ? 0 : 1;
}
