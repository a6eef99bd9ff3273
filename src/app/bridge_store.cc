#include "app/bridge_store.h"

#include "app/run_program.h"
#include "base/base64url.h"
#include "base/json.h"
#include "bridge/command_line.h"
#include "bridge/failure.h"
#include "jose/random.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t key_bytes = 32;
constexpr std::size_t largest_file = 1024 * 1024;
constexpr std::size_t largest_note = 16 * 1024;
constexpr std::string_view end_of_file = ".json.enc";
constexpr std::string_view component = "token-cache";

std::string why(int os) { return std::generic_category().message(os); }

std::optional<std::string> read_up_to(int fd, std::size_t most) {
  std::string text;
  std::size_t size = 0;
  while (size < most) {
    // Room for what there usually is: memory that is made ready and not used is the dearest part of a start.
    if (size == text.size()) text.resize(std::min(most, size * 2 + 4096));
    auto n = ::read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Whole under its name, or not at all.
result<void> write_whole(const std::string& folder, const std::string& name, std::string_view text) {
  auto path = folder + "/" + name;
  auto unfinished = path + "." + base64url_encode(random_bytes(9)) + ".tmp";
  net::descriptor file(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  bool done = file && write_all(file.number(), text) && ::fsync(file.number()) == 0 &&
              ::rename(unfinished.c_str(), path.c_str()) == 0;
  int os = errno;
  if (!done) {
    ::unlink(unfinished.c_str());
    return fail(errc::file_unwritable, path + ": " + why(os));
  }
  net::descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at) ::fsync(at.number());
  return {};
}

// The same, unless something of that name is there: then that stays.
result<void> write_new(const std::string& folder, const std::string& name, std::string_view text) {
  auto fresh = name + "." + base64url_encode(random_bytes(9)) + ".new";
  if (auto written = write_whole(folder, fresh, text); !written) return written;
  auto from = folder + "/" + fresh, to = folder + "/" + name;
  bool done = ::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST;
  int os = errno;
  ::unlink(from.c_str());
  if (!done) return fail(errc::file_unwritable, to + ": " + why(os));
  return {};
}

std::uint64_t inode_of(const std::string& path) {
  struct stat about{};
  return ::lstat(path.c_str(), &about) == 0 ? static_cast<std::uint64_t>(about.st_ino) : 0;
}

bool is_own_file(int fd) {
  struct stat about{};
  return ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == ::geteuid();
}

json::value text(std::string_view s) { return json::string(s.data(), s.size()); }

}  // namespace

std::optional<std::string> process_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == 0) return std::nullopt;
  return std::string(value);
}

std::string bridge_folder(const std::string& configured, const environment_of_process& environment) {
  auto home = environment("HOME").value_or("");
  // A file of settings is read by no shell.
  if (configured.starts_with("~/") && !home.empty()) return home + configured.substr(1);
  if (!configured.empty()) return configured;
#ifdef __APPLE__
  return home.empty() ? "" : home + "/Library/Application Support/mcp-oauth2-proxy";
#else
  auto base = environment("XDG_CONFIG_HOME").value_or(home.empty() ? "" : home + "/.config");
  return base.empty() ? "" : base + "/mcp-oauth2-proxy";
#endif
}

// ---- the lock

std::optional<bridge_lock> bridge_lock::take(const std::string& path) {
  constexpr int how = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  net::descriptor file(::open(path.c_str(), how, 0600));
  if (!file || !is_own_file(file.number())) return none();
  if (::flock(file.number(), LOCK_EX | LOCK_NB) == 0) return bridge_lock(std::move(file));
  if (errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
  return none();
}

void bridge_lock::write(const note& what) {
  if (!file_) return;
  json::object o;
  o["pid"] = what.pid;
  if (!what.doing.empty()) o["doing"] = text(what.doing);
  if (!what.address.empty()) o["address"] = text(what.address);
  if (!what.redirect_uri.empty()) o["redirect_uri"] = text(what.redirect_uri);
  if (what.opened != 0) o["opened"] = what.opened;
  if (what.ended != 0) {
    o["ended"] = what.ended;
    o["code"] = what.code;
    o["why"] = text(what.why);
  }
  auto line = json::serialize(o);
  if (::lseek(file_.number(), 0, SEEK_SET) != 0 || ::ftruncate(file_.number(), 0) != 0) return;
  write_all(file_.number(), line);
}

bridge_lock::note bridge_lock::read(const std::string& path) {
  note found;
  net::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  bool own = file && is_own_file(file.number());
  auto content = own ? read_up_to(file.number(), largest_note) : std::nullopt;
  auto o = parse_json_object(content.value_or(""));
  if (!o) return found;
  std::int64_t code = 0;
  mcp_oauth::read(*o, "pid", found.pid);
  mcp_oauth::read(*o, "opened", found.opened);
  mcp_oauth::read(*o, "ended", found.ended);
  mcp_oauth::read(*o, "code", code);
  found.code = code >= 0 && code < static_cast<std::int64_t>(errc::count_) ? static_cast<int>(code) : 0;
  found.doing = text_member(*o, "doing");
  found.address = text_member(*o, "address");
  found.redirect_uri = text_member(*o, "redirect_uri");
  found.why = text_member(*o, "why");
  return found;
}

// ---- the files

bridge_store::bridge_store(const bridge_settings& settings, bridge_log& log,
                           const environment_of_process& environment, const std::atomic<bool>* given_up)
    : settings_(settings),
      log_(log),
      given_up_(given_up),
      desktop_(environment("DBUS_SESSION_BUS_ADDRESS").has_value() &&
               !find_program("secret-tool", environment("PATH").value_or("")).empty()),
      folder_(bridge_folder(settings.sign_in.token_cache_dir, environment)),
      name_(kept_name(settings)) {
  while (folder_.size() > 1 && folder_.ends_with('/')) folder_.pop_back();
}

// Nothing for what is not there, belongs to somebody else, or is no file.
void bridge_store::warn(std::string_view message, bridge_log::fields values) {
  auto id = bridge_symptom(errc::sign_in_cache_unusable).id;
  log_.write(bridge_log_level::warn, component, std::string(message) + " (" + std::string(id) + ")", values);
}

std::optional<std::string> bridge_store::read_private(const std::string& path, std::size_t most) {
  net::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno != ENOENT && errno != ENOTDIR)
      warn("cannot be read, and is ignored", {{"file", path}, {"why", why(errno)}});
    return std::nullopt;
  }
  struct stat about{};
  if (::fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode)) {
    warn("is no file, and is ignored", {{"file", path}});
    return std::nullopt;
  }
  if (about.st_uid != ::geteuid()) {
    warn("belongs to another user, and is ignored",
         {{"file", path}, {"owner", std::to_string(about.st_uid)}});
    return std::nullopt;
  }
  if ((about.st_mode & 077) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", about.st_mode & 07777U);
    log_.write(bridge_log_level::warn, component, "could be read by others: its mode is 0600 from now on",
               {{"file", path}, {"mode", mode}});
    if (::fchmod(file.number(), 0600) != 0) return std::nullopt;
  }
  return read_up_to(file.number(), most);
}

bool bridge_store::prepare_folder() {
  if (folder_.empty()) return false;
  std::error_code failed;
  auto parent = fs::path(folder_).parent_path();
  if (!parent.empty()) fs::create_directories(parent, failed);
  if (::mkdir(folder_.c_str(), 0700) == 0) return true;
  struct stat about{};
  if (::stat(folder_.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
    warn("the folder cannot be made: sign-ins are not kept", {{"folder", folder_}});
    return false;
  }
  return judge_folder();
}

// Who may write into it may exchange the key.
bool bridge_store::judge_folder() {
  struct stat about{};
  if (::stat(folder_.c_str(), &about) != 0) return true;
  bool mine = about.st_uid == ::geteuid();
  if (mine && (about.st_mode & 022) == 0) return true;
  bool holds = mine && (about.st_mode & 002) == 0;
  if (!std::exchange(judged_, true))
    warn("others may write into the folder: chmod 700 " + folder_ +
             (holds ? "" : ", until then nothing is kept there"),
         {{"folder", folder_}});
  return holds;
}

bool bridge_store::key_is_slow() const {
  if (key_ || folder_.empty() || ::access((folder_ + "/key.bin").c_str(), F_OK) == 0) return false;
  return ::access((folder_ + "/key.secret-service").c_str(), F_OK) == 0;
}

std::optional<secret> bridge_store::read_key() {
  if (key_) return key_;
  auto bytes = read_private(folder_ + "/key.bin", key_bytes + 1);
  if (bytes) {
    if (bytes->size() == key_bytes) {
      key_ = secret(std::move(*bytes));
      return key_;
    }
    auto path = folder_ + "/key.bin";
    warn("is no key of 32 bytes, and is replaced", {{"file", path}, {"set_aside_as", set_aside(path)}});
    return std::nullopt;
  }
  if (!key_is_slow()) return std::nullopt;
  // The folder has a key of its own there: another user's bridges, or another folder's, do not share it.
  auto found = run_program({"secret-tool", "lookup", "service", "mcp-oauth-proxy", "folder", folder_}, "",
                           seconds(30), surroundings::without_secrets, given_up_);
  auto key = found
                 ? base64url_decode(std::string_view(*found).substr(0, found->find_last_not_of("\r\n ") + 1))
                 : std::nullopt;
  if (!key || key->size() != key_bytes) {
    warn("the secret service gives no key: locked, or not there",
         {{"why", found ? "no key of 32 bytes" : found.error().detail}});
    return std::nullopt;
  }
  key_ = secret(std::move(*key));
  return key_;
}

// Held by the process that makes the key. Nothing: given up.
std::optional<bridge_lock> bridge_store::wait_for_key() {
  constexpr milliseconds glance{10};
  auto path = folder_ + "/key.lock";
  auto lock = bridge_lock::take(path);
  while (!lock && (given_up_ == nullptr || !*given_up_)) {
    std::this_thread::sleep_for(glance);
    lock = bridge_lock::take(path);
  }
  return lock;
}

result<secret> bridge_store::make_key() {
  if (key_) return *key_;
  // Two that sign in to two servers at one moment share the key: what one of them sealed with another one
  // could be opened by nobody.
  auto alone = wait_for_key();
  if (!alone) return fail(errc::file_unwritable, "another bridge makes the key of " + folder_);
  if (auto known = read_key()) return *known;
  // A keyring that is locked now has the key still: what is there must not become unreadable for that.
  if (key_is_slow())
    return fail(errc::file_unwritable, "the secret service has the key and does not give it");
  secret fresh(random_bytes(key_bytes));
  auto place = settings_.sign_in.key_place;
  if (place != bridge_key_place::file && desktop_) {
    auto stored =
        run_program({"secret-tool", "store", "--label=mcp-oauth-proxy sign-ins", "service", "mcp-oauth-proxy",
                     "folder", folder_},
                    base64url_encode(fresh.reveal()), seconds(30), surroundings::without_secrets, given_up_);
    if (stored &&
        write_whole(folder_, "key.secret-service", "secret-tool lookup service mcp-oauth-proxy folder\n")) {
      ::unlink((folder_ + "/key.bin").c_str());
      key_ = fresh;
      return fresh;
    }
    log_.write(bridge_log_level::debug, component, "the secret service takes no key",
               {{"why", stored ? "" : stored.error().detail}});
  }
  if (place == bridge_key_place::secret_service)
    return fail(errc::file_unwritable,
                "oauth2.tokenCacheKey is secret-service, and there is none that takes a key");
  // What lies there is no key: read_key has said so.
  ::unlink((folder_ + "/key.bin").c_str());
  if (auto written = write_new(folder_, "key.bin", fresh.reveal()); !written)
    return tl::unexpected<error>(written.error());
  // A process that knows no such lock may have been first: one key is for all.
  if (auto known = read_key()) return *known;
  return fail(errc::file_unwritable, folder_ + "/key.bin cannot be read");
}

std::optional<kept_sign_in> bridge_store::read_named(const std::string& name) {
  auto path = folder_ + "/" + name + std::string(end_of_file);
  auto seen = inode_of(path);
  auto sealed = read_private(path, largest_file);
  if (!sealed) return std::nullopt;
  auto key = read_key();
  // Another process may have replaced it meanwhile: then what was read says nothing of what is there.
  auto aside = [&] { return inode_of(path) == seen ? set_aside(path) : std::string(); };
  if (!key) {
    // A keyring that is locked now has the key still.
    warn("tokenCache: load failed, ignoring cache: its key is gone",
         {{"file", path}, {"set_aside_as", key_is_slow() ? "" : aside()}});
    return std::nullopt;
  }
  auto kept = open_kept(*sealed, name, key->reveal());
  if (kept) return std::move(*kept);
  // What another version wrote is of use to that one.
  bool damaged = kept.error().code != errc::sign_in_cache_unusable;
  warn(damaged ? "tokenCache: load failed, ignoring cache: damaged, or sealed with another key"
               : "tokenCache: load failed, ignoring cache",
       {{"file", path}, {"why", kept.error().detail}, {"set_aside_as", damaged ? aside() : ""}});
  return std::nullopt;
}

// Out of the way, so that nobody is told of it again; "" where that cannot be done.
std::string bridge_store::set_aside(const std::string& path) {
  auto there = path + ".damaged";
  return ::rename(path.c_str(), there.c_str()) == 0 ? there : "";
}

std::optional<kept_sign_in> bridge_store::read() {
  if (folder_.empty()) return std::nullopt;
  judge_folder();
  auto kept = read_named(name_);
  if (kept && kept->server != settings_.upstream.url) kept.reset();
  return kept;
}

bool bridge_store::is_gone() const {
  if (folder_.empty()) return true;
  auto is_there = [](const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0 || errno != ENOENT;
  };
  return !is_there(file()) && !is_there(file() + ".damaged");
}

result<void> bridge_store::write(const kept_sign_in& kept) {
  if (!prepare_folder()) return fail(errc::file_unwritable, folder_ + " cannot hold what is secret");
  auto key = make_key();
  if (!key) return tl::unexpected<error>(key.error());
  // What a killed process left behind.
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    auto file = entry.path().filename().string();
    if (file.starts_with(name_) && file.ends_with(".tmp")) fs::remove(entry.path(), ignored);
  }
  auto written = kept;
  written.settings = kept_settings(settings_);
  auto sealed = seal_kept(written, name_, key->reveal(), [](std::size_t n) { return random_bytes(n); });
  return write_whole(folder_, name_ + std::string(end_of_file), sealed);
}

bool bridge_store::remove(const std::string& name) {
  if (folder_.empty()) return false;
  auto path = folder_ + "/" + name + std::string(end_of_file);
  bool aside = ::unlink((path + ".damaged").c_str()) == 0;
  return ::unlink(path.c_str()) == 0 || aside;
}

std::vector<std::pair<std::string, kept_sign_in>> bridge_store::all(const std::string& server) {
  std::vector<std::pair<std::string, kept_sign_in>> found;
  if (folder_.empty()) return found;
  judge_folder();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    auto file = entry.path().filename().string();
    // Files of the program that this one stands in for have shorter names.
    if (file.size() != name_.size() + end_of_file.size() || !file.ends_with(end_of_file)) continue;
    auto name = file.substr(0, name_.size());
    auto kept = read_named(name);
    if (kept && (server.empty() || kept->server == server)) found.emplace_back(name, std::move(*kept));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.second.server < b.second.server; });
  return found;
}

}  // namespace mcp_oauth
