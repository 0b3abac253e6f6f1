# Debian's SimGrid is built with ns-3, of which danlu uses nothing; loading its libraries takes as
# long as playing a step of 64 GPUs. libsimgrid.so asks some 120 symbols of them: for each of these
# libraries one of the same name stands in, which does nothing.
#
#   libdanlu_engine.so --needs--> libns3-core.so.37, ...  found by its RPATH in without_ns3/
#                      --needs--> libsimgrid.so --needs--> libns3-core.so.37, ...  loaded already
#
# A library that is loaded serves all who need one of its name. A SimGrid without ns-3 needs none,
# and of other versions than 3.32 it is not known what they ask of ns-3 while they are loaded.

# stand_in_for_ns3(TARGET): links TARGET, which is linked with SimGrid, with what stands in.
function(stand_in_for_ns3 target)
  set(simgrid_library ${SimGrid_LINK_LIBRARIES})
  list(FILTER simgrid_library INCLUDE REGEX "/libsimgrid\\.so")
  if(NOT SimGrid_VERSION VERSION_EQUAL 3.32 OR NOT simgrid_library OR NOT CMAKE_READELF
     OR NOT CMAKE_NM)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_READELF} --dynamic --wide ${simgrid_library}
    OUTPUT_VARIABLE needed COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_NM} --dynamic --undefined-only ${simgrid_library}
    OUTPUT_VARIABLE wanted COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "libns3[^]]*\\.so[^]]*" needed "${needed}")
  string(REGEX MATCHALL "_Z[A-Za-z0-9_]*3ns3[A-Za-z0-9_]*" wanted "${wanted}")
  if(NOT needed)
    return()
  endif()

  # Tables of virtual functions, types and static members are objects, all others are functions.
  set(text "extern \"C\" {\n")
  foreach(symbol ${wanted})
    if(symbol MATCHES "^_ZT[VITS]|^_ZG|^_ZZ|[0-9]g_[A-Za-z]*E$")
      string(APPEND text "extern char ${symbol}[256];\nchar ${symbol}[256];\n")
    else()
      string(APPEND text "long ${symbol}() { return 0; }\n")
    endif()
  endforeach()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/without_ns3)
  file(CONFIGURE OUTPUT ${folder}/symbols.cpp CONTENT "${text}}\n" @ONLY)
  file(CONFIGURE OUTPUT ${folder}/none.cpp CONTENT "" @ONLY)

  set(source symbols.cpp)  # the first has them all
  foreach(name ${needed})
    string(MAKE_C_IDENTIFIER ${name} library)
    add_library(${library} SHARED ${folder}/${source})
    set_target_properties(${library} PROPERTIES PREFIX "" SUFFIX "" OUTPUT_NAME ${name}
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/without_ns3)
    target_link_libraries(${target} PRIVATE ${library})
    install(TARGETS ${library} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/danlu/without_ns3)
    set(source none.cpp)
  endforeach()
  # RPATH, which LD_LIBRARY_PATH is behind.
  target_link_options(${target} PRIVATE -Wl,--no-as-needed -Wl,--disable-new-dtags)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH $ORIGIN/without_ns3)
endfunction()
