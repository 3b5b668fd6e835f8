# Third-party packages, each with its reason in docs/architecture.md. All but ONNX Runtime come from
# Debian; tools/setup.sh brings ONNX Runtime into .deps/onnxruntime.
find_package(Threads REQUIRED)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(pugixml REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs videoio)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(TurboJPEG REQUIRED IMPORTED_TARGET libturbojpeg)
pkg_check_modules(Cairo REQUIRED IMPORTED_TARGET cairo-svg)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()

set(NEARFAR_ONNXRUNTIME_DIR ${PROJECT_SOURCE_DIR}/.deps/onnxruntime CACHE PATH
    "Folder with include/onnxruntime_cxx_api.h and lib/libonnxruntime.so")
find_library(ONNXRUNTIME_LIBRARY onnxruntime HINTS ${NEARFAR_ONNXRUNTIME_DIR}/lib REQUIRED)
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_cxx_api.h HINTS ${NEARFAR_ONNXRUNTIME_DIR}/include
          PATH_SUFFIXES onnxruntime REQUIRED)
add_library(onnxruntime::onnxruntime SHARED IMPORTED)
set_target_properties(onnxruntime::onnxruntime PROPERTIES
  IMPORTED_LOCATION ${ONNXRUNTIME_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${ONNXRUNTIME_INCLUDE_DIR})

# OpenCV's headers warn under C++20: seen as system headers.
add_library(nearfar_opencv INTERFACE)
target_include_directories(nearfar_opencv SYSTEM INTERFACE ${OpenCV_INCLUDE_DIRS})
target_link_libraries(nearfar_opencv INTERFACE opencv_core opencv_imgproc opencv_imgcodecs opencv_videoio)
