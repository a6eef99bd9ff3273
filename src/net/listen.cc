#include "net/listen.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

using addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// A bound and listening descriptor, or -1 with errno set.
int bind_and_listen(const addrinfo& address, std::uint16_t port, bool shared) {
  int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return -1;
  int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_storage where{};
  std::memcpy(&where, address.ai_addr, address.ai_addrlen);
  if (address.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(where).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(where).sin_port = htons(port);
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&where), address.ai_addrlen) != 0 || ::listen(fd, 4096) != 0) {
    int why = errno;
    ::close(fd);
    errno = why;
    return -1;
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage where{};
  socklen_t size = sizeof where;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  return where.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6&>(where).sin6_port)
                                     : ntohs(reinterpret_cast<sockaddr_in&>(where).sin_port);
}

std::string text_of(const addrinfo& address, std::uint16_t port) {
  char text[NI_MAXHOST] = "";
  ::getnameinfo(address.ai_addr, address.ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  auto number = ":" + std::to_string(port);
  return address.ai_family == AF_INET6 ? "[" + std::string(text) + "]" + number : text + number;
}

tl::unexpected<error> refused(int why, const std::string& host, std::uint16_t port) {
  auto place = host + ":" + std::to_string(port);
  if (why == EADDRINUSE) {
    auto holder = port_holder(port);
    return fail(errc::listen_in_use, place + " is in use" + (holder.empty() ? "" : " by " + holder));
  }
  if (why == EACCES || why == EPERM) return fail(errc::listen_denied, place + ": " + std::strerror(why));
  return fail(errc::config_invalid, "host: cannot listen on " + place + ": " + std::strerror(why));
}

// The inode of the socket that listens on the port, from one of the kernel's tables; "" when none does.
std::string listening_inode(const char* table, std::uint16_t port) {
  std::ifstream lines(table);
  std::string line;
  std::getline(lines, line);
  char wanted[6];
  std::snprintf(wanted, sizeof wanted, "%04X", port);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
    if (state == "0A" && local.size() > 5 && local.substr(local.size() - 4) == wanted) return inode;
  }
  return {};
}

}  // namespace

const addrinfo* address_to_listen_on(const addrinfo* first) {
  for (const auto* a = first; a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET) return a;
  }
  return first;
}

listeners::~listeners() {
  for (int fd : descriptors_) ::close(fd);
}

std::string port_holder(std::uint16_t port) {
  auto inode = listening_inode("/proc/net/tcp", port);
  if (inode.empty()) inode = listening_inode("/proc/net/tcp6", port);
  if (inode.empty()) return {};
  auto wanted = "socket:[" + inode + "]";
  std::error_code ignored;
  for (const auto& process : std::filesystem::directory_iterator("/proc", ignored)) {
    auto pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code denied;
    for (std::filesystem::directory_iterator fd(process.path() / "fd", denied), end; !denied && fd != end;
         fd.increment(denied)) {
      auto target = std::filesystem::read_symlink(fd->path(), ignored);
      if (target != wanted) continue;
      std::string name;
      std::ifstream comm(process.path() / "comm");
      std::getline(comm, name);
      return "process " + pid + " (" + name + ")";
    }
  }
  return {};
}

result<listeners> open_listeners(const std::string& host, std::uint16_t& port, unsigned count,
                                 milliseconds patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int failed = ::getaddrinfo(host.empty() || host == "*" ? nullptr : host.c_str(), nullptr, &hints, &found);
  if (failed != 0) return fail(errc::config_invalid, "host: " + host + ": " + gai_strerror(failed));
  addresses list(found, &freeaddrinfo);
  const auto& address = *address_to_listen_on(list.get());

  auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    // Alone first, so that a holder shows even if it would share; then shared.
    int alone = bind_and_listen(address, port, false);
    if (alone >= 0) {
      port = port_of(alone);
      ::close(alone);
      break;
    }
    int why = errno;
    if (why != EADDRINUSE || std::chrono::steady_clock::now() >= deadline) return refused(why, host, port);
    std::this_thread::sleep_for(milliseconds(20));
  }
  listeners open;
  for (unsigned i = 0; i < count; ++i) {
    int fd = bind_and_listen(address, port, true);
    if (fd < 0) return refused(errno, host, port);
    open.add(fd);
  }
  open.at(text_of(address, port));
  return open;
}

}  // namespace mcp_oauth::net
