#pragma once

#include "app/bridge_log.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"
#include "bridge/kept.h"
#include "bridge/settings.h"
#include "net/descriptor.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

using environment_of_process = std::function<std::optional<std::string>(std::string_view)>;
std::optional<std::string> process_environment(std::string_view name);  // unset and empty alike

// The folder of sign-ins: `configured`, else as the platform has it ($XDG_CONFIG_HOME or ~/.config, with
// mcp-oauth2-proxy; ~/Library/Application Support on a Mac). "" where there is no home.
std::string bridge_folder(const std::string& configured, const environment_of_process& environment);

// What one process does for all that want the same: held by the kernel for as long as the process lives, so
// that no lock is ever stale. Its file says what is done, for those that wait.
class bridge_lock {
 public:
  struct note {
    std::int64_t pid = 0;
    std::string doing;         // "signing in"; "" when nothing is
    std::string address;       // where the person has to go
    std::string redirect_uri;  // where the answer is awaited
    std::int64_t opened = 0;   // when a page was opened last
    std::int64_t ended = 0;    // when it failed last, and why
    int code = 0;
    std::string why;
  };

  // Nothing while another process (or another lock of this one) holds it. Where the file cannot be made, is
  // somebody else's, or the file system knows no locks, it is as if it were held: the alternative is no
  // sign-in at all.
  static std::optional<bridge_lock> take(const std::string& path);
  // As if it were held, with no file: where whoever likes could make one.
  static std::optional<bridge_lock> none() { return bridge_lock(net::descriptor()); }
  void write(const note& what);
  // Nothing of a file that is somebody else's.
  static note read(const std::string& path);

 private:
  explicit bridge_lock(net::descriptor file) : file_(std::move(file)) {}
  net::descriptor file_;
};

// One kept sign-in on disk. Everything that is wrong with it is named in the log and survived: then there is
// nothing kept. What is damaged is renamed, so that it is named once. Blocks for as long as a small file
// takes, and with the secret service longer: `key_is_slow`.
class bridge_store {
 public:
  // `given_up` ends what it waits for, and outlives it.
  bridge_store(const bridge_settings& settings, bridge_log& log, const environment_of_process& environment,
               const std::atomic<bool>* given_up = nullptr);

  const std::string& folder() const { return folder_; }
  const std::string& name() const { return name_; }
  // "" without a folder.
  std::string file() const { return in_folder(".json.enc"); }
  std::string lock_file() const { return in_folder(".lock"); }

  // Another one has warned of the folder.
  void folder_is_known() { judged_ = true; }
  // Makes the folder, 0700. False: it cannot hold what is secret.
  bool prepare_folder();
  // Whether the key has to be asked for from the desktop, which takes a process.
  bool key_is_slow() const;
  // Nothing where there is none, or none that can be used.
  std::optional<kept_sign_in> read();
  // Whether there is none at all, not even one that was set aside: so `remove` leaves it.
  bool is_gone() const;
  // For the holder of the lock. Whole or not at all, also when the process is killed or the machine stops:
  // what was there before stays until the new is on the disk. Errors: file_unwritable.
  result<void> write(const kept_sign_in& kept);
  // For the holder of the lock. False: there was none.
  bool remove() { return remove(name_); }

  // Every file of the folder that holds a sign-in which can be opened, with its name; of one server, or all.
  std::vector<std::pair<std::string, kept_sign_in>> all(const std::string& server = "");
  // The same of another sign-in of the folder.
  std::string lock_file_of(const std::string& name) const { return folder_ + "/" + name + ".lock"; }
  bool remove(const std::string& name);

 private:
  std::string in_folder(std::string_view end) const {
    return folder_.empty() ? "" : folder_ + "/" + name_ + std::string(end);
  }
  // False: it cannot hold what is secret. Warns of that once.
  bool judge_folder();
  std::string set_aside(const std::string& path);
  std::optional<secret> read_key();
  result<secret> make_key();
  std::optional<bridge_lock> wait_for_key();
  // With the code of a cache that cannot be used.
  void warn(std::string_view message, bridge_log::fields values);
  std::optional<std::string> read_private(const std::string& path, std::size_t most);
  std::optional<kept_sign_in> read_named(const std::string& name);

  const bridge_settings& settings_;
  bridge_log& log_;
  const std::atomic<bool>* given_up_;
  bool desktop_;
  bool judged_ = false;
  std::string folder_, name_;
  std::optional<secret> key_;
};

}  // namespace mcp_oauth
