#pragma once

#include "net/asio.h"
#include "net/task.h"
#include "net/tls.h"
#include "net/wheel.h"
#include "net/worker.h"

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

namespace mcp_oauth::net {

// interrupted: somebody else wants the coroutine to look around (`channel::interrupt`).
enum class io { ok, closed, failed, timeout, interrupted };

// A byte stream over a socket, in clear or TLS: buffered input, gathered output, one coarse deadline.
// At most one coroutine waits on it at a time. A read may be outstanding while nobody waits (`listen`): that
// is how a peer that goes away is noticed while we are busy elsewhere.
class channel final : public std::enable_shared_from_this<channel>, private timed {
 public:
  channel(worker& w, socket s);
  ~channel() override;
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // Clear, then TLS: waits for the handshake to end.
  task<io> handshake(std::shared_ptr<const tls_context> context, tls_session::role role, std::string name,
                     milliseconds most);
  const tls_session* tls() const { return tls_.get(); }
  // Whether TLS holds bytes that are not in input() yet.
  bool has_hidden_input() const { return tls_ && tls_->has_pending(); }

  // Bytes that have arrived and are not consumed. Valid until the next await on this channel.
  std::string_view input() const { return {buffer_ + low_, high_ - low_}; }
  void consume(std::size_t n) { low_ += n; }

  // Waits until input() has grown. closed: the peer ended its side (input() may hold the rest).
  // timeout: nothing came within `most`; the channel is as usable as before. 0 ms: no limit.
  class more_awaiter;
  more_awaiter more(milliseconds most);

  // Keeps reading although nobody waits; `gone` is called, at most once, when the peer closes or fails in
  // that time, `heard` whenever input has come. Clear both with `listen(nullptr)`.
  void listen(std::function<void()> gone, std::function<void()> heard = nullptr);

  // Wakes whoever waits here, with io::interrupted. A write that is woken so is given up. False: nobody
  // waited.
  bool interrupt();

  // Writes all of it. Takes the spans' bytes before it first suspends only if they fit the socket: keep them
  // alive.
  class write_awaiter;
  write_awaiter write(std::span<const iovec> pieces, milliseconds most);

  // A stream that will be idle for long: give the input buffer back whenever nothing is in it.
  void go_lean();

  // Wakes whoever waits here with io::failed, and closes. Does not call `gone`.
  void abort();
  // The same as if the peer had gone: calls `gone`, too.
  void hang_up();
  void shut_output() noexcept;
  bool is_open() const { return open_; }
  bool peer_closed() const { return ended_; }
  int descriptor();
  worker& loop() { return worker_; }

 private:
  friend class more_awaiter;
  friend class write_awaiter;
  void start_read();
  void make_room();
  void drop_buffer();
  void arrived(error_code failed, std::size_t n);
  void readable(error_code failed);
  bool read_tls();  // true: input grew or the stream ended
  void end_input(io how);
  void wake_reader(io how);
  io try_write();  // ok: all written; timeout: would block
  void wait_writable();
  void writable(error_code failed);
  void on_deadline() override;

  worker& worker_;
  socket socket_;
  std::unique_ptr<tls_session> tls_;
  char* buffer_ = nullptr;
  std::size_t capacity_ = 0, low_ = 0, high_ = 0;
  bool reading_ = false;  // a read operation is outstanding
  bool lean_ = false;
  bool open_ = true;
  bool ended_ = false;  // no more input will come
  bool grown_ = false;  // input arrived while nobody waited
  bool tls_wants_write_ = false;
  io end_ = io::closed;

  std::coroutine_handle<> reader_;
  io read_result_ = io::ok;
  std::function<void()> gone_;
  std::function<void()> heard_;

  std::coroutine_handle<> writer_;
  io write_result_ = io::ok;
  std::vector<iovec> out_;
  std::size_t out_at_ = 0;
  std::string tls_out_;  // what TLS must be offered again, byte by byte the same
};

class channel::more_awaiter {
 public:
  more_awaiter(channel& c, milliseconds most) : channel_(c), most_(most) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> h);
  io await_resume() const { return channel_.read_result_; }

 private:
  channel& channel_;
  milliseconds most_;
};

class channel::write_awaiter {
 public:
  write_awaiter(channel& c, std::span<const iovec> pieces, milliseconds most)
      : channel_(c), pieces_(pieces), most_(most) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> h);
  io await_resume() const { return channel_.write_result_; }

 private:
  channel& channel_;
  std::span<const iovec> pieces_;
  milliseconds most_;
};

inline channel::more_awaiter channel::more(milliseconds most) { return {*this, most}; }
inline channel::write_awaiter channel::write(std::span<const iovec> pieces, milliseconds most) {
  return {*this, pieces, most};
}

inline iovec piece(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

}  // namespace mcp_oauth::net
