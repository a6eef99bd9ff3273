#include "net/exchange.h"

#include "base/text.h"
#include "net/http_write.h"

#include <array>
#include <charconv>
#include <random>

namespace mcp_oauth::net {
namespace {

// Correlation ids need to be distinct, not secret.
std::string make_request_id() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  constexpr char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  auto bits = generator();
  std::string id(13, '0');
  for (char& c : id) {
    c = letters[bits & 31];
    bits >>= 5;
  }
  return id;
}

// Whether a line end stands there that is not CRLF: waiting on would only hide it.
bool has_bare_line_feed(std::string_view bytes, std::size_t from) {
  for (auto at = bytes.find('\n', from); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') return true;
  }
  return false;
}

}  // namespace

exchange::exchange(std::shared_ptr<channel> client, const exchange_limits& limits, std::string peer)
    : client_(std::move(client)), limits_(limits), peer_(std::move(peer)) {}

task<result<bool>> exchange::next() {
  auto& client = *client_;
  answered_ = chunked_ = continue_due_ = streaming_ = false;
  body_began_ = 0;
  keep_alive_ = true;
  status = 0;
  std::size_t searched = 0;
  std::uint64_t began = 0;
  bool forgiven = false;
  const auto idle = first_ ? limits_.header : limits_.keep_alive;
  const auto idle_since = client.loop().coarse_ms();
  for (;;) {
    auto input = client.input();
    if (!forgiven && input.substr(0, 2) == "\r\n") {  // RFC 9112 §2.2: one empty line before a request
      forgiven = true;
      client.consume(2);
      input = client.input();
      searched = 0;
    }
    if (!input.empty()) {
      if (began == 0) {
        began = client.loop().coarse_ms();
        request_id_ = make_request_id();
      }
      if (input.substr(0, 2) == "\r\n") {
        head_failed_ = true;
        co_return fail(errc::http_malformed, "empty lines in place of a request");
      }
      if (auto end = find_head_end(input, searched)) {
        if (*end > limits_.head) {
          head_failed_ = true;
          co_return fail(errc::http_head_too_large);
        }
        auto accepted = accept_head(*end);
        if (!accepted) {
          head_failed_ = true;
          co_return tl::unexpected<error>(accepted.error());
        }
        co_return true;
      }
      if (has_bare_line_feed(input, searched)) {
        head_failed_ = true;
        co_return fail(errc::http_malformed, "a line ends without CR");
      }
      if (input.size() > limits_.head) {
        head_failed_ = true;
        co_return fail(errc::http_head_too_large);
      }
      searched = input.size();
    }
    // An empty line begins no request, so the time before one goes on.
    auto spent = client.loop().coarse_ms() - (began != 0 ? began : idle_since);
    auto allowed = static_cast<std::uint64_t>((began != 0 ? limits_.header : idle).count());
    if (spent >= allowed) {
      if (began == 0) co_return false;
      head_failed_ = true;
      co_return fail(errc::http_timeout);
    }
    milliseconds most(static_cast<std::int64_t>(allowed - spent));
    auto got = co_await client.more(most);
    if (got == io::ok) continue;
    if (got == io::timeout && began != 0) {
      head_failed_ = true;
      co_return fail(errc::http_timeout);
    }
    co_return false;
  }
}

result<void> exchange::accept_head(std::size_t end) {
  first_ = false;
  head_text_.assign(client_->input().substr(0, end));
  client_->consume(end);
  auto parsed = parse_request_head(head_text_, head_);
  if (!parsed) return parsed;
  keep_alive_ = head_.keep_alive;
  continue_due_ = head_.expects_continue && head_.body != framing::none;
  decoder_ = body_decoder(head_.body, head_.length, chunk_extensions::refuse);
  return {};
}

void exchange::take_arrived(content_pieces& pieces) {
  auto input = client_->input();
  client_->consume(decoder_.feed(input, pieces));
}

task<result<void>> exchange::read_more(content_pieces& pieces) {
  pieces.clear();
  for (;;) {
    take_arrived(pieces);
    if (decoder_.failed()) {
      keep_alive_ = false;
      co_return fail(errc::http_malformed, "chunked framing");
    }
    if (!pieces.empty() || decoder_.done()) co_return result<void>();
    if (continue_due_) {
      continue_due_ = false;
      std::array<iovec, 1> out{piece("HTTP/1.1 100 Continue\r\n\r\n")};
      auto sent = co_await client_->write(out, limits_.write);
      if (sent != io::ok) co_return fail(errc::client_gone);
    }
    auto now = client_->loop().coarse_ms();
    if (body_began_ == 0) body_began_ = now;
    if (!streaming_ && now - body_began_ > static_cast<std::uint64_t>(limits_.body_total.count())) {
      keep_alive_ = false;
      co_return fail(errc::http_timeout, "the body took too long as a whole");
    }
    auto got = co_await client_->more(limits_.body);
    if (got == io::ok) continue;
    if (got == io::interrupted) co_return result<void>();
    keep_alive_ = false;
    if (got == io::timeout) co_return fail(errc::http_timeout, "the body stopped arriving");
    co_return fail(errc::client_gone, "the connection ended in the middle of the body");
  }
}

task<result<void>> exchange::read_all(std::string& body, std::size_t most) {
  body.clear();
  if (head_.body == framing::length && head_.length > most) co_return fail(errc::body_too_large);
  content_pieces pieces;
  while (!body_done()) {
    auto got = co_await read_more(pieces);
    if (!got) co_return got;
    for (auto p : pieces) {
      if (body.size() + p.size() > most) co_return fail(errc::body_too_large);
      body += p;
    }
  }
  co_return result<void>();
}

void exchange::finish_head(std::string& out) {
  append_field(out, "X-Request-Id", request_id_);
  if (!keep_alive()) {
    out += "Connection: close\r\n";
  } else if (head_.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

task<io> exchange::respond(const http_response& answer) {
  // A body that nobody read stands before the next request: take what is here, else close.
  if (!head_failed_ && !decoder_.done()) {
    content_pieces unread;
    take_arrived(unread);
    if (!decoder_.done()) keep_alive_ = false;
  }
  std::string out;
  out.reserve(512);
  append_status_line(out, answer.status);
  for (const auto& [name, value] : answer.fields) append_field(out, name, value);
  append_field(out, "Date", http_date());
  bool bodiless = answer.status == 204 || answer.status == 304 || answer.status < 200;
  if (!bodiless) {
    out += "Content-Length: ";
    append_decimal(out, answer.body.size());
    out += "\r\n";
  }
  finish_head(out);
  answered_ = true;
  status = answer.status;
  std::array<iovec, 2> pieces{piece(out), piece(answer.body)};
  bool with_body = !bodiless && head_.method != "HEAD" && !answer.body.empty();
  std::span<const iovec> all(pieces.data(), with_body ? 2 : 1);
  auto sent = co_await client_->write(all, limits_.write);
  if (sent != io::ok) keep_alive_ = false;
  co_return sent;
}

task<io> exchange::start_stream(const http_response& head) {
  std::string out;
  append_status_line(out, head.status);
  for (const auto& [name, value] : head.fields) append_field(out, name, value);
  append_field(out, "Date", http_date());
  chunked_ = head_.minor_version == 1;
  if (chunked_) {
    out += "Transfer-Encoding: chunked\r\n";
  } else {
    keep_alive_ = false;
  }
  if (!decoder_.done()) keep_alive_ = false;
  finish_head(out);
  answered_ = true;
  status = head.status;
  std::array<iovec, 1> pieces{piece(out)};
  co_return co_await client_->write(pieces, limits_.write);
}

task<io> exchange::write_chunk(std::string_view content) {
  if (content.empty()) co_return io::ok;
  char size[20];
  auto end = std::to_chars(size, size + 16, content.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  std::array<iovec, 3> pieces{piece({size, static_cast<std::size_t>(end - size)}), piece(content),
                              piece("\r\n")};
  auto all = chunked_ ? std::span<const iovec>(pieces) : std::span<const iovec>(pieces.data() + 1, 1);
  co_return co_await client_->write(all, limits_.write);
}

task<io> exchange::end_stream() {
  if (!chunked_) co_return io::ok;
  std::array<iovec, 1> pieces{piece("0\r\n\r\n")};
  co_return co_await client_->write(pieces, limits_.write);
}

}  // namespace mcp_oauth::net
