#pragma once

#include "store/postgres.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {

// For tests: a PostgreSQL server of our own, in a folder that goes with it, on a free loopback port and a
// socket in that folder. Ends with the test program, however that ends.
class test_postgres final {
 public:
  static constexpr auto user = "tester";
  static constexpr auto password = "s3cret/of:tester";

  // One for all tests of a program, running. Null where PostgreSQL is not installed.
  static test_postgres* shared() {
    static test_postgres* one = make();
    if (one != nullptr && !one->running()) one->start();
    return one;
  }

  test_postgres(const test_postgres&) = delete;
  test_postgres& operator=(const test_postgres&) = delete;
  ~test_postgres() {
    crash();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  // A URL to an empty schema that nobody else uses.
  std::string fresh_url() {
    auto schema = "t" + std::to_string(++schemas_);
    as_superuser("CREATE SCHEMA " + schema + " AUTHORIZATION tester");
    return url("options=-csearch_path%3D" + schema);
  }
  std::string url(const std::string& parameters = {}) const {
    return "postgresql://tester:s3cret%2Fof%3Atester@127.0.0.1:" + std::to_string(port_) + "/tests" +
           (parameters.empty() ? "" : "?" + parameters);
  }
  std::uint16_t port() const { return port_; }
  const std::string& folder() const { return folder_; }

  void as_superuser(const std::string& statements) {
    auto db = superuser("tests");
    auto done = db.script(statements);
    if (!done) throw std::runtime_error(done.error().detail);
  }

  bool running() const { return postmaster_ > 0; }
  void start() {
    for (int attempt = 0; attempt < 50; ++attempt) {
      postmaster_ = spawn({bin_ + "/postgres", "-D", folder_ + "/data"}, folder_ + "/log");
      // Until it takes connections, or ends because the memory of the one before it is still in use.
      for (int i = 0; i < 600; ++i) {
        if (::waitpid(postmaster_, nullptr, WNOHANG) == postmaster_) break;
        if (postgres::connect(superuser_url("template1"), milliseconds(2000))) return;
        std::this_thread::sleep_for(milliseconds(50));
      }
    }
    throw std::runtime_error("PostgreSQL does not start; see " + folder_ + "/log");
  }
  // As an operator does: connections end, what was committed is kept.
  void stop() {
    if (!running()) return;
    ::kill(postmaster_, SIGINT);
    ::waitpid(postmaster_, nullptr, 0);
    postmaster_ = -1;
  }
  // As the kernel does when memory runs out.
  void crash() {
    if (!running()) return;
    signal_all(SIGKILL);
    ::waitpid(postmaster_, nullptr, 0);
    postmaster_ = -1;
  }
  // Nothing answers, and nothing is closed.
  void pause() { signal_all(SIGSTOP); }
  void resume() { signal_all(SIGCONT); }

 private:
  test_postgres() = default;

  static test_postgres* make() {
    auto bin = newest_bin();
    if (bin.empty()) {
      std::cerr << "PostgreSQL is not installed (Debian: apt install postgresql): its tests are left out\n";
      if (std::getenv("CI") != nullptr) throw std::runtime_error("in CI that is a failure");
      return nullptr;
    }
    static test_postgres server;
    server.bin_ = bin;
    server.create();
    return &server;
  }

  static std::string newest_bin() {
    std::string newest;
    int best = 0;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      int number = std::atoi(version.path().filename().c_str());
      if (number > best && std::filesystem::exists(version.path() / "bin/initdb")) {
        best = number;
        newest = (version.path() / "bin").string();
      }
    }
    return newest;
  }

  void create() {
    std::string name = (std::filesystem::temp_directory_path() / "store_postgres_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    // It refuses to run as root.
    if (::geteuid() == 0) {
      const passwd* other = ::getpwnam("postgres");
      if (other == nullptr) other = ::getpwnam("nobody");
      if (other == nullptr || ::chown(folder_.c_str(), other->pw_uid, other->pw_gid) != 0)
        throw std::runtime_error("no user to run PostgreSQL as");
      uid_ = other->pw_uid;
      gid_ = other->pw_gid;
    }
    auto made = spawn({bin_ + "/initdb", "-D", folder_ + "/data", "-U", "postgres", "--no-sync", "-E", "UTF8",
                       "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256"},
                      folder_ + "/log");
    int status = 0;
    ::waitpid(made, &status, 0);
    if (status != 0) throw std::runtime_error("initdb failed; see " + folder_ + "/log");
    port_ = free_port();
    std::ofstream(folder_ + "/data/postgresql.conf", std::ios::app)
        << "listen_addresses = '127.0.0.1'\nport = " << port_ << "\nunix_socket_directories = '" << folder_
        << "'\nfsync = off\nmax_connections = 60\nshared_buffers = 16MB\nlog_min_messages = fatal\n";
    start();
    auto done = superuser("postgres").script("CREATE ROLE tester LOGIN PASSWORD 's3cret/of:tester'");
    if (done) done = superuser("postgres").script("CREATE DATABASE tests OWNER tester");
    if (!done) throw std::runtime_error(done.error().detail);
  }

  static std::uint16_t free_port() {
    int held = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(held, general, size) != 0 || ::getsockname(held, general, &size) != 0)
      throw std::runtime_error("no free port");
    ::close(held);
    return ntohs(address.sin_port);
  }

  std::string superuser_url(const std::string& database) const {
    return "postgresql:///" + database + "?user=postgres&host=" + folder_ + "&port=" + std::to_string(port_);
  }
  postgres superuser(const std::string& database) const {
    auto db = postgres::connect(superuser_url(database), milliseconds(30'000));
    if (!db) throw std::runtime_error(db.error().detail);
    return std::move(*db);
  }

  pid_t spawn(const std::vector<std::string>& words, const std::string& log) const {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t child = ::fork();
    if (child != 0) return child;
    if (std::freopen(log.c_str(), "a", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(125);
    if (gid_ != 0 && (::setgid(gid_) != 0 || ::setuid(uid_) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::chdir(folder_.c_str()) != 0) ::_exit(126);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  // The postmaster and all that it started.
  void signal_all(int signal) const {
    if (signal != SIGCONT) ::kill(postmaster_, SIGSTOP);  // so that it starts no more
    std::error_code none;
    for (const auto& process : std::filesystem::directory_iterator("/proc", none)) {
      if (std::atoi(process.path().filename().c_str()) == 0) continue;
      std::ifstream file(process.path() / "stat");
      std::string stat;
      if (!std::getline(file, stat, '\0')) continue;  // it ended meanwhile
      auto name_end = stat.rfind(')');
      if (name_end == std::string::npos) continue;
      if (std::atoi(stat.c_str() + std::min(stat.size(), name_end + 4)) != postmaster_) continue;
      ::kill(std::atoi(stat.c_str()), signal);
    }
    ::kill(postmaster_, signal);
  }

  std::string bin_, folder_;
  std::uint16_t port_ = 0;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::atomic<pid_t> postmaster_ = -1;  // tests end it from threads of their own
  int schemas_ = 0;
};

}  // namespace mcp_oauth
