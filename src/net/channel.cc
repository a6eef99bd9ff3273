#include "net/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t largest_buffer = 64 * 1024;
constexpr std::size_t least_room = 2048;
constexpr std::size_t tls_record = 16 * 1024;
constexpr std::size_t most_pieces = 64;

}  // namespace

channel::channel(worker& w, socket s) : worker_(w), socket_(std::move(s)) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
  // Fails on what is not TCP, and does not matter there.
  auto set = [fd = socket_.native_handle()](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer that lost its power says nothing; a stream that waits for it would wait for ever.
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 120'000);
}

channel::~channel() {
  low_ = high_ = 0;
  drop_buffer();
}

int channel::descriptor() { return socket_.native_handle(); }

// ---- input
// ------------------------------------------------------------------------------------------------------

void channel::make_room() {
  if (buffer_ == nullptr) {
    buffer_ = worker_.take_block();
    capacity_ = worker::block_size;
    low_ = high_ = 0;
    return;
  }
  if (low_ == high_) low_ = high_ = 0;
  if (capacity_ - high_ >= least_room) return;
  if (low_ > 0) {
    std::memmove(buffer_, buffer_ + low_, high_ - low_);
    high_ -= low_;
    low_ = 0;
    if (capacity_ - high_ >= least_room) return;
  }
  char* larger = new char[capacity_ * 2];
  std::memcpy(larger, buffer_, high_);
  auto kept = high_;
  low_ = high_ = 0;
  auto grown = capacity_ * 2;
  drop_buffer();
  buffer_ = larger;
  capacity_ = grown;
  high_ = kept;
}

void channel::drop_buffer() {
  if (buffer_ == nullptr || low_ != high_) return;
  if (capacity_ == worker::block_size) {
    worker_.give_block(buffer_);
  } else {
    delete[] buffer_;
  }
  buffer_ = nullptr;
  capacity_ = low_ = high_ = 0;
}

void channel::start_read() {
  if (reading_ || ended_ || !open_) return;
  reading_ = true;
  auto self = shared_from_this();
  if (tls_ || lean_) {
    if (lean_) drop_buffer();
    auto what = tls_wants_write_ ? asio::socket_base::wait_write : asio::socket_base::wait_read;
    socket_.async_wait(what, [self = std::move(self)](error_code failed) { self->readable(failed); });
    return;
  }
  make_room();
  socket_.async_read_some(
      asio::buffer(buffer_ + high_, capacity_ - high_),
      [self = std::move(self)](error_code failed, std::size_t n) { self->arrived(failed, n); });
}

void channel::arrived(error_code failed, std::size_t n) {
  reading_ = false;
  if (!open_) return;
  if (failed == asio::error::operation_aborted) {  // go_lean took the read back
    drop_buffer();
    if (reader_ || gone_) start_read();
    return;
  }
  if (failed) {
    end_input(failed == asio::error::eof ? io::closed : io::failed);
    return;
  }
  high_ += n;
  // A read that filled all the room it had: a large body, so the next one gets twice as much.
  if (high_ == capacity_ && capacity_ < largest_buffer && low_ == 0) make_room();
  wake_reader(io::ok);
}

void channel::readable(error_code failed) {
  reading_ = false;
  if (!open_) return;
  if (failed) {
    end_input(io::failed);
    return;
  }
  if (tls_) {
    if (!read_tls()) {
      start_read();
    } else if (ended_) {
      end_input(end_);
    } else {
      wake_reader(io::ok);
    }
    return;
  }
  make_room();
  auto n = ::recv(socket_.native_handle(), buffer_ + high_, capacity_ - high_, MSG_DONTWAIT);
  if (n > 0) {
    high_ += static_cast<std::size_t>(n);
    wake_reader(io::ok);
  } else if (n == 0) {
    end_input(io::closed);
  } else if (errno == EAGAIN || errno == EINTR) {
    start_read();
  } else {
    end_input(io::failed);
  }
}

bool channel::read_tls() {
  make_room();
  std::size_t n = 0;
  tls_wants_write_ = false;
  switch (tls_->read(buffer_ + high_, capacity_ - high_, n)) {
    case tls_session::want::nothing:
      high_ += n;
      if (high_ == capacity_ && capacity_ < largest_buffer && low_ == 0) make_room();
      return true;
    case tls_session::want::read: return false;
    case tls_session::want::write: tls_wants_write_ = true; return false;
    case tls_session::want::closed: end_ = io::closed; break;
    case tls_session::want::failed: end_ = io::failed; break;
  }
  ended_ = true;
  return true;
}

void channel::end_input(io how) {
  ended_ = true;
  end_ = how;
  if (reader_) {
    wake_reader(how);
  } else if (gone_) {
    auto gone = std::exchange(gone_, nullptr);
    heard_ = nullptr;
    gone();
  }
}

void channel::wake_reader(io how) {
  if (!reader_) {
    grown_ = true;
    // Somebody wants to know when the peer goes: that takes another read, while there is room for what it
    // brings.
    if (gone_ && high_ - low_ < largest_buffer) start_read();
    if (auto heard = heard_) heard();  // a copy: it may clear itself
    return;
  }
  worker_.deadlines().clear(*this);
  read_result_ = how;
  std::exchange(reader_, nullptr).resume();
}

void channel::listen(std::function<void()> gone, std::function<void()> heard) {
  gone_ = std::move(gone);
  heard_ = std::move(heard);
  if (!gone_) return;
  if (tls_ && !ended_ && open_ && !reading_ && read_tls() && !ended_) grown_ = true;
  if (ended_ || !open_) {
    std::exchange(gone_, nullptr)();
    return;
  }
  start_read();
}

bool channel::interrupt() {
  if (reader_) {
    wake_reader(io::interrupted);
    return true;
  }
  if (!writer_) return false;
  worker_.deadlines().clear(*this);
  write_result_ = io::interrupted;
  std::exchange(writer_, nullptr).resume();
  return true;
}

void channel::hang_up() {
  auto self = shared_from_this();
  auto gone = std::exchange(gone_, nullptr);
  abort();
  if (gone) gone();
}

void channel::go_lean() {
  if (lean_) return;
  lean_ = true;
  tls_out_.shrink_to_fit();
  if (reading_ && !tls_) {
    error_code ignored;
    socket_.cancel(ignored);
  } else {
    drop_buffer();
  }
}

bool channel::more_awaiter::await_ready() {
  auto& c = channel_;
  if (!c.open_) {
    c.read_result_ = io::failed;
    return true;
  }
  if (c.grown_) {
    c.grown_ = false;
    c.read_result_ = io::ok;
    return true;
  }
  if (c.tls_ && !c.ended_ && !c.reading_ && c.read_tls() && !c.ended_) {
    c.read_result_ = io::ok;
    return true;
  }
  if (c.ended_) {
    c.read_result_ = c.end_;
    return true;
  }
  return false;
}

void channel::more_awaiter::await_suspend(std::coroutine_handle<> h) {
  channel_.reader_ = h;
  if (most_.count() > 0) {
    channel_.worker_.deadlines().set(channel_, static_cast<std::uint64_t>(most_.count()));
  } else {
    channel_.worker_.deadlines().clear(channel_);
  }
  channel_.start_read();
}

// ---- output
// -----------------------------------------------------------------------------------------------------

io channel::try_write() {
  if (!open_) return io::failed;
  while (out_at_ < out_.size() || !tls_out_.empty()) {
    std::size_t went = 0;
    if (tls_) {
      if (tls_out_.empty() && out_[out_at_].iov_len < tls_record) {
        // Small pieces share a record: head and body of an answer go out as one.
        while (out_at_ < out_.size() && tls_out_.size() + out_[out_at_].iov_len <= tls_record) {
          tls_out_.append(static_cast<const char*>(out_[out_at_].iov_base), out_[out_at_].iov_len);
          ++out_at_;
        }
        if (tls_out_.empty()) continue;
      }
      bool gathered = !tls_out_.empty();
      auto next = gathered ? std::string_view(tls_out_)
                           : std::string_view(static_cast<const char*>(out_[out_at_].iov_base),
                                              out_[out_at_].iov_len);
      switch (tls_->write(next.data(), next.size(), went)) {
        case tls_session::want::nothing: break;
        case tls_session::want::read:
        case tls_session::want::write: return io::timeout;
        case tls_session::want::closed:
        case tls_session::want::failed: return io::failed;
      }
      if (gathered) {
        tls_out_.erase(0, went);
        continue;
      }
    } else {
      msghdr message{};
      message.msg_iov = out_.data() + out_at_;
      message.msg_iovlen = std::min(out_.size() - out_at_, most_pieces);
      auto n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN ? io::timeout : io::failed;
      }
      went = static_cast<std::size_t>(n);
    }
    while (out_at_ < out_.size() && went >= out_[out_at_].iov_len) went -= out_[out_at_++].iov_len;
    if (went > 0) {
      auto& part = out_[out_at_];
      part.iov_base = static_cast<char*>(part.iov_base) + went;
      part.iov_len -= went;
    }
  }
  return io::ok;
}

bool channel::write_awaiter::await_ready() {
  auto& c = channel_;
  c.out_.assign(pieces_.begin(), pieces_.end());
  c.out_at_ = 0;
  c.write_result_ = c.try_write();
  return c.write_result_ != io::timeout;  // here: would block
}

void channel::write_awaiter::await_suspend(std::coroutine_handle<> h) {
  channel_.writer_ = h;
  if (most_.count() > 0)
    channel_.worker_.deadlines().set(channel_, static_cast<std::uint64_t>(most_.count()));
  channel_.wait_writable();
}

void channel::wait_writable() {
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](error_code failed) { self->writable(failed); });
}

void channel::writable(error_code failed) {
  if (!open_ || !writer_) return;
  write_result_ = failed ? io::failed : try_write();
  if (write_result_ == io::timeout) {
    wait_writable();
    return;
  }
  worker_.deadlines().clear(*this);
  std::exchange(writer_, nullptr).resume();
}

// ---- both
// -------------------------------------------------------------------------------------------------------

task<io> channel::handshake(std::shared_ptr<const tls_context> context, tls_session::role role,
                            std::string name, milliseconds most) {
  tls_ = std::make_unique<tls_session>(std::move(context), socket_.native_handle(), role, name);
  auto until = worker_.coarse_ms() + static_cast<std::uint64_t>(most.count());
  for (;;) {
    auto wanted = tls_->handshake();
    if (wanted == tls_session::want::nothing) co_return io::ok;
    if (wanted != tls_session::want::read && wanted != tls_session::want::write) co_return io::failed;
    struct ready_awaiter {
      channel& c;
      asio::socket_base::wait_type what;
      milliseconds limit;
      bool await_ready() const { return false; }
      void await_suspend(std::coroutine_handle<> h) {
        c.reader_ = h;
        c.worker_.deadlines().set(c, static_cast<std::uint64_t>(limit.count()));
        c.socket_.async_wait(what, [self = c.shared_from_this()](error_code failed) {
          if (self->open_ && self->reader_) self->wake_reader(failed ? io::failed : io::ok);
        });
      }
      io await_resume() const { return c.read_result_; }
    };
    if (worker_.coarse_ms() >= until) co_return io::timeout;
    auto left = milliseconds(static_cast<std::int64_t>(until - worker_.coarse_ms()));
    ready_awaiter ready{
        *this,
        wanted == tls_session::want::read ? asio::socket_base::wait_read : asio::socket_base::wait_write,
        left};
    auto got = co_await ready;
    if (got != io::ok) co_return got;
  }
}

void channel::abort() {
  if (!open_) return;
  auto self = shared_from_this();
  open_ = false;
  gone_ = nullptr;
  heard_ = nullptr;
  worker_.deadlines().clear(*this);
  if (tls_) tls_->close_notify();
  error_code ignored;
  socket_.close(ignored);
  if (reader_) {
    read_result_ = io::failed;
    std::exchange(reader_, nullptr).resume();
  } else if (writer_) {
    write_result_ = io::failed;
    std::exchange(writer_, nullptr).resume();
  }
}

void channel::shut_output() noexcept {
  if (!open_) return;
  if (tls_) tls_->close_notify();
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

void channel::on_deadline() {
  if (reader_) {
    read_result_ = io::timeout;
    std::exchange(reader_, nullptr).resume();
  } else if (writer_) {
    write_result_ = io::timeout;
    std::exchange(writer_, nullptr).resume();
  }
}

}  // namespace mcp_oauth::net
