#include "app/memory_use.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

// Whether the loader wrote into the code, which then differs from its file.
bool is_rewritten(const dl_phdr_info& object, const ElfW(Phdr) & dynamic) {
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + dynamic.p_vaddr);
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_TEXTREL) return true;
    if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
  }
  return false;
}

int give_back_pages(dl_phdr_info* object, std::size_t, void*) {
  // The kernel's own has no file.
  if (object->dlpi_addr != 0 && object->dlpi_addr == ::getauxval(AT_SYSINFO_EHDR)) return 0;
  std::span<const ElfW(Phdr)> segments(object->dlpi_phdr, object->dlpi_phnum);
  for (const auto& segment : segments) {
    if (segment.p_type == PT_DYNAMIC && is_rewritten(*object, segment)) return 0;
  }
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    auto begin = (object->dlpi_addr + segment.p_vaddr + page - 1) / page * page;
    auto end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_back_large_memory() {
  // The value is the default; that it is set ends its growth.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

void keep_large_memory_at_hand() {
  ::mallopt(M_MMAP_THRESHOLD, 2 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

void give_back_unused_memory() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(give_back_pages, nullptr);
}

}  // namespace mcp_oauth
