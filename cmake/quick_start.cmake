# A bridge is started by each client for each server, so what the loader does counts: docs/performance.md has the figures.
include(CheckLinkerFlag)
check_linker_flag(CXX "LINKER:-z,pack-relative-relocs" MOP_PACKS_RELOCATIONS)

function(start_quickly program)
  # Each name is looked for in one library after the other, as they are named here. Nine in ten are of these three, and their
  # own uses of them are among those.
  target_link_options(${program} BEFORE PRIVATE "LINKER:--push-state,--no-as-needed,-lcrypto,-lstdc++,-lc,--pop-state")
  # Needs a C library of 2022 or later, as Debian 12 has.
  if(MOP_PACKS_RELOCATIONS)
    target_link_options(${program} PRIVATE "LINKER:-z,pack-relative-relocs")
  endif()
endfunction()
