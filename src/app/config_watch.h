#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace mcp_oauth {

// Notices that a file says something else than before, however it was changed: written in place, replaced by
// a rename as editors do it, or reached through symbolic links of which one was swapped.
class config_watch {
 public:
  // A file that does not exist yet may appear. "" watches nothing, and so does what the system refuses.
  explicit config_watch(std::string file);
  ~config_watch();
  config_watch(const config_watch&) = delete;
  config_watch& operator=(const config_watch&) = delete;

  // To be polled for reading; -1 when nothing is watched.
  int descriptor() const { return descriptor_; }
  // Whether the text is another than at the last call, or at the beginning. Waits for a writer to come to
  // rest. A file that is gone, or empty for now, is no other text.
  bool changed();
  // What is read now counts as known.
  void remember();

 private:
  std::optional<std::string> text() const;

  std::string file_;
  int descriptor_ = -1;
  std::optional<std::string> known_;
};

}  // namespace mcp_oauth
