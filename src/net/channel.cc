#include "net/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t least_room = 2048;
constexpr std::size_t most_unread = worker::large_block_size - least_room;
constexpr std::size_t tls_record = 16 * 1024;
constexpr std::size_t most_pieces = 64;
constexpr int turns_at_once = 8;
constexpr std::uint32_t end_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

}  // namespace

channel::channel(worker& w, descriptor connected) : worker_(w), socket_(std::move(connected)) {
  // Fails on what is not TCP, and does not matter there.
  auto set = [fd = socket_.number()](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer that lost its power says nothing; a stream that waits for it would wait for ever.
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 120'000);
  if (!worker_.watch(socket_.number(), *this)) {
    open_ = false;
    socket_.close();
  }
}

channel::~channel() {
  worker_.forget(*this);
  free_buffer();
}

// ---- input

void channel::make_room() {
  if (low_ == high_) {
    auto size = large_ ? worker::large_block_size : worker::block_size;
    if (capacity_ != size) {
      free_buffer();
      buffer_ = worker_.take_block(size);
      capacity_ = size;
    }
    low_ = high_ = 0;
    return;
  }
  if (capacity_ - high_ >= least_room) return;
  auto used = high_ - low_;
  if (capacity_ - used >= least_room) {
    std::memmove(buffer_, buffer_ + low_, used);
  } else {
    auto size = std::max(worker::large_block_size, capacity_ * 2);
    char* larger = worker_.take_block(size);
    std::memcpy(larger, buffer_ + low_, used);
    free_buffer();
    buffer_ = larger;
    capacity_ = size;
  }
  low_ = 0;
  high_ = used;
}

void channel::free_buffer() {
  if (buffer_ != nullptr) worker_.give_block(buffer_, capacity_);
  buffer_ = nullptr;
  capacity_ = low_ = high_ = 0;
}

// Who waits for long holds no memory, and who reads next gets a block that is still in the processor's cache.
void channel::drop_empty_buffer() {
  if (buffer_ != nullptr && low_ == high_) free_buffer();
}

channel::pulled channel::end(io how) {
  ended_ = true;
  end_ = how;
  return pulled::ended;
}

channel::pulled channel::pull() {
  if (ended_) return pulled::ended;
  make_room();
  auto room = capacity_ - high_;
  std::size_t n = 0;
  if (tls_) {
    auto got = pull_tls();
    if (got == pulled::nothing) drop_empty_buffer();
    if (got != pulled::grown) return got;
    n = room - (capacity_ - high_);
  } else {
    ssize_t got = 0;
    do {
      got = ::recv(socket_.number(), buffer_ + high_, room, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got == 0) return end(io::closed);
    if (got < 0 && errno == EAGAIN) {
      readable_ = false;
      drop_empty_buffer();
      return pulled::nothing;
    }
    if (got < 0) return end(io::failed);
    n = static_cast<std::size_t>(got);
    high_ += n;
    // Less than there was room for: it was all. An end that came with it was told of, or will be.
    if (n < room && !hung_up_) readable_ = false;
  }
  // A read that filled all the room it had: a large body, so the next one gets more.
  large_ = n == room;
  return pulled::grown;
}

// As many records as have come and there is room for: one write to the upstream takes them all.
channel::pulled channel::pull_tls() {
  auto before = high_;
  do {
    std::size_t n = 0;
    auto wanted = tls_->read(buffer_ + high_, capacity_ - high_, n);
    high_ += n;
    if (wanted == tls_session::want::nothing) continue;
    // What ended it will be said again, after what came before it, though nothing more comes.
    bool over = wanted == tls_session::want::closed || wanted == tls_session::want::failed;
    if (over && high_ != before) return pulled::grown;
    if (high_ != before) break;
    if (wanted == tls_session::want::closed) return end(io::closed);
    if (wanted == tls_session::want::failed) return end(io::failed);
    readable_ = false;
    return pulled::nothing;
  } while (high_ != capacity_ && tls_->may_have_more());
  if (!hung_up_) readable_ = tls_->may_have_more();
  return pulled::grown;
}

void channel::on_events(std::uint32_t events) {
  auto self = shared_from_this();  // whoever is woken may let it go
  turns_ = turns_at_once;
  if ((events & end_events) != 0) hung_up_ = true;
  // TLS may have to write before it can read on.
  if ((events & (EPOLLIN | end_events)) != 0 || tls_) {
    readable_ = true;
    if (tls_) tls_->more_came();
  }

  if (reader_) {
    if (handshaking_) {
      wake_reader(io::ok);
    } else if (readable_) {
      auto got = pull();
      if (got == pulled::grown) wake_reader(io::ok);
      if (got == pulled::ended) wake_reader(end_);
    }
  } else if (listener_ != nullptr && readable_) {
    tell_listener();
  }
  if (writer_ && open_) {
    auto wrote = try_write();
    if (wrote == io::timeout) return;
    worker_.deadlines().clear(*this);
    write_result_ = wrote;
    std::exchange(writer_, nullptr).resume();
  }
}

void channel::tell_listener() {
  // In clear the kernel tells the end from input, which can stay with it until somebody asks. TLS says
  // goodbye within the stream.
  if (!tls_ && hearing_ == hearing::end_only) {
    if (hung_up_) tell_gone();
    return;
  }
  // Nobody has asked for it, so there is a bound.
  auto got = high_ - low_ > most_unread ? pulled::nothing : pull();
  if (got == pulled::ended || (got == pulled::nothing && hung_up_)) {
    tell_gone();
  } else if (got == pulled::grown) {
    grown_ = true;
    if (readable_) worker_.again(*this, EPOLLIN);
    if (hearing_ == hearing::input_too) listener_->on_heard();
  }
}

void channel::tell_gone() {
  if (auto* who = std::exchange(listener_, nullptr)) who->on_gone();
}

void channel::wake_reader(io how) {
  worker_.deadlines().clear(*this);
  read_result_ = how;
  std::exchange(reader_, nullptr).resume();
}

void channel::listen(listener* who, hearing what) {
  listener_ = who;
  hearing_ = what;
  if (who == nullptr) return;
  drop_empty_buffer();
  if (ended_ || !open_) {
    tell_gone();
  } else if (readable_) {
    tell_listener();
  }
}

bool channel::is_silent() {
  if (!open_ || ended_ || hung_up_ || low_ != high_) return false;
  if (readable_ && pull() != pulled::nothing) return false;
  drop_empty_buffer();
  trim();
  return true;
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
  // In this order: closing wakes a writer, and with it may end whoever is to be told.
  if (open_) tell_gone();
  abort();
}

// What one large message needed is not kept for the next.
void channel::trim() {
  if (out_.capacity() > most_pieces) std::vector<iovec>().swap(out_);
  if (tls_out_.capacity() > worker::block_size && tls_out_.empty()) std::string().swap(tls_out_);
}

void channel::go_lean() {
  std::string().swap(tls_out_);
  std::vector<iovec>().swap(out_);
  out_at_ = 0;
}

bool channel::more_awaiter::await_ready() {
  auto& c = channel_;
  c.read_result_ = io::ok;
  if (!c.open_) {
    c.read_result_ = io::failed;
    return true;
  }
  if (std::exchange(c.grown_, false)) return true;
  auto got = pulled::nothing;
  if (c.readable_ && c.turns_ > 0) {
    --c.turns_;
    got = c.pull();
  }
  if (c.ended_) c.read_result_ = c.end_;
  return c.ended_ || got == pulled::grown;
}

void channel::more_awaiter::await_suspend(std::coroutine_handle<> h) {
  auto& c = channel_;
  c.reader_ = h;
  if (most_.count() > 0) {
    c.worker_.deadlines().set(c, static_cast<std::uint64_t>(most_.count()));
  } else {
    c.worker_.deadlines().clear(c);
  }
  c.drop_empty_buffer();
  c.trim();
  if (c.readable_) c.worker_.again(c, EPOLLIN);
}

// ---- output

io channel::try_write() {
  if (!open_) return io::failed;
  return tls_ ? write_tls() : write_clear();
}

void channel::advance(std::size_t went) {
  while (out_at_ < out_.size() && went >= out_[out_at_].iov_len) went -= out_[out_at_++].iov_len;
  if (went == 0) return;
  auto& part = out_[out_at_];
  part.iov_base = static_cast<char*>(part.iov_base) + went;
  part.iov_len -= went;
}

io channel::write_clear() {
  while (out_at_ < out_.size()) {
    msghdr message{};
    message.msg_iov = out_.data() + out_at_;
    message.msg_iovlen = std::min(out_.size() - out_at_, most_pieces);
    auto n = ::sendmsg(socket_.number(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return io::timeout;
      was_reset_ = true;
      return io::failed;
    }
    advance(static_cast<std::size_t>(n));
  }
  return io::ok;
}

io channel::write_tls() {
  while (out_at_ < out_.size() || !tls_out_.empty()) {
    if (tls_out_.empty()) {
      // Small pieces share a record: head and body of an answer go out as one.
      while (out_at_ < out_.size() && tls_out_.size() + out_[out_at_].iov_len <= tls_record) {
        tls_out_.append(static_cast<const char*>(out_[out_at_].iov_base), out_[out_at_].iov_len);
        ++out_at_;
      }
      if (tls_out_.empty() && out_at_ == out_.size()) break;
    }
    bool gathered = !tls_out_.empty();
    auto next =
        gathered ? std::string_view(tls_out_)
                 : std::string_view(static_cast<const char*>(out_[out_at_].iov_base), out_[out_at_].iov_len);
    std::size_t went = 0;
    switch (tls_->write(next.data(), next.size(), went)) {
      case tls_session::want::nothing: break;
      case tls_session::want::read:
      case tls_session::want::write: return io::timeout;
      case tls_session::want::closed:
      case tls_session::want::failed: return io::failed;
    }
    if (gathered) {
      tls_out_.erase(0, went);
    } else {
      advance(went);
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
}

// ---- both

// Waits for anything at all to happen: TLS wants to read or to write, and tries.
class channel::ready_awaiter {
 public:
  ready_awaiter(channel& c, milliseconds limit) : channel_(c), limit_(limit) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    channel_.reader_ = h;
    channel_.worker_.deadlines().set(channel_, static_cast<std::uint64_t>(limit_.count()));
  }
  io await_resume() const { return channel_.read_result_; }

 private:
  channel& channel_;
  milliseconds limit_;
};

task<io> channel::handshake(std::shared_ptr<const tls_context> context, tls_session::role role,
                            std::string name, milliseconds most) {
  // What came in clear would be read as if it had come through TLS.
  if (!open_ || low_ != high_) co_return io::failed;
  tls_ = std::make_unique<tls_session>(std::move(context), socket_.number(), role, name);
  auto until = worker_.coarse_ms() + static_cast<std::uint64_t>(most.count());
  handshaking_ = true;
  for (;;) {
    auto wanted = tls_->handshake();
    if (wanted == tls_session::want::nothing) break;
    if (wanted != tls_session::want::read && wanted != tls_session::want::write) co_return io::failed;
    if (worker_.coarse_ms() >= until) co_return io::timeout;
    ready_awaiter ready{*this, milliseconds(static_cast<std::int64_t>(until - worker_.coarse_ms()))};
    auto got = co_await ready;
    if (got != io::ok) co_return got;
  }
  handshaking_ = false;
  readable_ = true;
  co_return io::ok;
}

void channel::abort() { close(true); }

void channel::reset() {
  linger at_once{1, 0};
  if (open_) ::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(false);
}

void channel::close(bool with_goodbye) {
  if (!open_) return;
  auto self = shared_from_this();
  open_ = false;
  listener_ = nullptr;
  worker_.deadlines().clear(*this);
  worker_.forget(*this);
  if (tls_ && with_goodbye) tls_->close_notify();
  socket_.close();
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
  ::shutdown(socket_.number(), SHUT_WR);
}

void channel::on_deadline() {
  auto self = shared_from_this();
  if (reader_) {
    read_result_ = io::timeout;
    std::exchange(reader_, nullptr).resume();
  } else if (writer_) {
    write_result_ = io::timeout;
    std::exchange(writer_, nullptr).resume();
  }
}

}  // namespace mcp_oauth::net
