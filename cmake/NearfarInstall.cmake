# `make install`: the program with its engine, and the policies as a library with headers and a CMake
# package. Adapters (engine, transport, codecs) stay inside the program.
include(CMakePackageConfigHelpers)

get_property(library_modules GLOBAL PROPERTY NEARFAR_LIBRARY_MODULES)

install(TARGETS nearfar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
get_filename_component(onnxruntime_file ${ONNXRUNTIME_LIBRARY} REALPATH)
install(FILES ${onnxruntime_file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/nearfar
        RENAME libonnxruntime.so.1)

add_library(nearfar_all INTERFACE)
set_target_properties(nearfar_all PROPERTIES EXPORT_NAME nearfar)
target_link_libraries(nearfar_all INTERFACE ${library_modules})
install(TARGETS nearfar_all ${library_modules} EXPORT nearfar-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/nearfar)
foreach(module ${library_modules})
  string(REPLACE nearfar_ "" folder ${module})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/${folder}
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nearfar FILES_MATCHING PATTERN "*.h")
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nearfar)
install(EXPORT nearfar-targets NAMESPACE nearfar:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/nearfar-config.cmake.in
  ${PROJECT_BINARY_DIR}/nearfar-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nearfar-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nearfar-config.cmake
              ${PROJECT_BINARY_DIR}/nearfar-config-version.cmake DESTINATION ${package_dir})
