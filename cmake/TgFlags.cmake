# Compiler flags of every target. Sanitizers and coverage come from the preset (TG_SANITIZE, TG_COVERAGE).
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

option(TG_WERROR "warnings are errors" OFF)
option(TG_HARDENED "PIE, full RELRO, FORTIFY, stack and CET protection" OFF)
option(TG_COVERAGE "gcov instrumentation" OFF)
set(TG_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")

add_library(tg_flags INTERFACE)
target_compile_definitions(tg_flags INTERFACE _GNU_SOURCE TG_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${TG_DEVELOPMENT}>:TG_DEVELOPMENT=1>)
target_include_directories(tg_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_options(tg_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wnull-dereference -Wimplicit-fallthrough
  -Wswitch-enum -fPIE -fno-common -fno-omit-frame-pointer -fvisibility=hidden
  $<$<BOOL:${TG_WERROR}>:-Werror>)
target_link_libraries(tg_flags INTERFACE Threads::Threads)
target_link_options(tg_flags INTERFACE -pie -Wl,--as-needed)

if(TG_SANITIZE)
  target_compile_options(tg_flags INTERFACE -fsanitize=${TG_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tg_flags INTERFACE -fsanitize=${TG_SANITIZE})
endif()
if(TG_FUZZ) # the rooms too tell libFuzzer where they have been; without it the fuzzer is blind
  target_compile_options(tg_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TG_COVERAGE)
  target_compile_definitions(tg_flags INTERFACE TG_COVERAGE=1)
  target_compile_options(tg_flags INTERFACE --coverage -O0)
  target_link_options(tg_flags INTERFACE --coverage)
endif()
if(TG_HARDENED)
  target_compile_definitions(tg_flags INTERFACE _FORTIFY_SOURCE=3)
  target_compile_options(tg_flags INTERFACE -fstack-protector-strong -fstack-clash-protection
    -ftrivial-auto-var-init=zero
    "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.") # the same program wherever it is built: an image's measurement
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(tg_flags INTERFACE -fcf-protection=full)
  endif()
  target_link_options(tg_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
  # What nothing calls is left out: the host's proxy shares rooms with the enclave, not their servers' code.
  target_compile_options(tg_flags INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(tg_flags INTERFACE -Wl,--gc-sections)
endif()
