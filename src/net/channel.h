#pragma once

#include "net/descriptor.h"
#include "net/task.h"
#include "net/tls.h"
#include "net/wheel.h"
#include "net/worker.h"

#include <coroutine>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

namespace mcp_oauth::net {

// interrupted: somebody else wants the coroutine to look around (`channel::interrupt`).
enum class io { ok, closed, failed, timeout, interrupted };

// A byte stream over a socket, in clear or TLS: buffered input, gathered output, one coarse deadline.
// At most one coroutine waits on it at a time. While none waits for input, a listener learns of a peer that
// goes away.
//
// The kernel tells of each change once (edge-triggered), so the channel keeps what it was told: a socket that
// was read short is empty and is not asked again before it says so.
class channel final : public std::enable_shared_from_this<channel>, private timed, private watcher {
 public:
  channel(worker& w, descriptor connected);
  ~channel() override;

  // Clear, then TLS: waits for the handshake to end. Fails before it begins when input() is not empty.
  task<io> handshake(std::shared_ptr<const tls_context> context, tls_session::role role, std::string name,
                     milliseconds most);
  const tls_session* tls() const { return tls_.get(); }

  // Bytes that have arrived and are not consumed. Valid until the next await on this channel, or `listen`.
  std::string_view input() const { return {buffer_ + low_, high_ - low_}; }
  void consume(std::size_t n) { low_ += n; }

  // Waits until input() has grown; how far it may, the caller decides. closed: the peer ended its side
  // (input() may hold the rest). timeout: nothing came within `most`; the channel is as usable as before. 0
  // ms: no limit.
  class more_awaiter;
  more_awaiter more(milliseconds most);

  // Who is told while no coroutine waits for input. `on_gone` comes at most once, when the peer closes or
  // fails; `on_heard` whenever input has come, for `hearing::input_too`.
  class listener {
   public:
    virtual ~listener() = default;
    virtual void on_gone() = 0;
    virtual void on_heard() {}
  };
  enum class hearing { end_only, input_too };
  // nullptr: nobody. A peer that has gone already is told of at once.
  void listen(listener* who, hearing what = hearing::end_only);

  // Whether the peer itself said that its input ends here; over TLS that takes a goodbye (RFC 8446 §6.1).
  // Else what ends where the connection does may have been cut.
  bool ended_properly() const {
    return ended_ && end_ == io::closed && !was_reset_ && !(tls_ && tls_->was_cut_off());
  }

  // Wakes whoever waits here, with io::interrupted. A write that is woken so is given up. False: nobody
  // waited.
  bool interrupt();

  // Writes all of it. Takes the spans' bytes before it first suspends only if they fit the socket: keep them
  // alive.
  class write_awaiter;
  write_awaiter write(std::span<const iovec> pieces, milliseconds most);

  // Whether the peer has neither sent something that nobody asked for, nor ended. Looks where it must.
  bool is_silent();

  // What follows is long and sparse: gives back the memory that a request needed.
  void go_lean();

  // Wakes whoever waits here with io::failed, and closes. Does not call `on_gone`.
  void abort();
  // The same, but the peer sees that what it got may not be all: for what ends where the connection does.
  // What is on its way may be lost.
  void reset();
  // The same as if the peer had gone: calls `on_gone`, too.
  void hang_up();
  void shut_output() noexcept;
  bool is_open() const { return open_; }
  worker& loop() { return worker_; }

 private:
  friend class more_awaiter;
  friend class write_awaiter;
  class ready_awaiter;

  enum class pulled { grown, nothing, ended };
  pulled pull();
  pulled pull_tls();
  pulled end(io how);
  void make_room();
  void drop_empty_buffer();
  void close(bool with_goodbye);
  void trim();
  void free_buffer();
  void tell_listener();
  void wake_reader(io how);
  void tell_gone();

  io try_write();  // ok: all written; timeout: would block
  io write_clear();
  io write_tls();
  void advance(std::size_t went);

  void on_events(std::uint32_t events) override;
  void foresee_end() override { hung_up_ = true; }
  void on_deadline() override;

  worker& worker_;
  descriptor socket_;
  std::unique_ptr<tls_session> tls_;
  char* buffer_ = nullptr;
  std::size_t capacity_ = 0, low_ = 0, high_ = 0;
  bool large_ = false;     // a large body comes: the next block is a large one
  int turns_ = 0;          // reads that it may still do before others have their turn
  bool readable_ = false;  // for all we know; the first event says
  bool hung_up_ = false;   // the kernel said that the end has come; there may be input before it
  bool handshaking_ = false;
  bool open_ = true;
  bool ended_ = false;      // no more input will come
  bool was_reset_ = false;  // a write failed by it; reading is not told again
  bool grown_ = false;      // input arrived while nobody waited
  io end_ = io::closed;

  std::coroutine_handle<> reader_;
  io read_result_ = io::ok;
  listener* listener_ = nullptr;
  hearing hearing_ = hearing::end_only;

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
