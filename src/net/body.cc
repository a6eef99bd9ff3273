#include "net/body.h"

#include <algorithm>

namespace mcp_oauth::net {
namespace {

constexpr unsigned most_skipped = 8192;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

}  // namespace

std::size_t body_decoder::feed(std::string_view bytes, content_pieces& pieces) {
  if (done_ || failed_ || bytes.empty()) return 0;
  switch (how_) {
    case framing::none: return 0;
    case framing::until_close: pieces.push_back(bytes); return bytes.size();
    case framing::chunked: return feed_chunked(bytes, pieces);
    case framing::length: break;
  }
  auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  pieces.push_back(bytes.substr(0, n));
  left_ -= n;
  done_ = left_ == 0;
  return n;
}

std::size_t body_decoder::feed_chunked(std::string_view bytes, content_pieces& pieces) {
  std::size_t i = 0;
  while (i < bytes.size() && !done_ && !failed_) {
    if (state_ == state::data) {
      auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - i));
      pieces.push_back(bytes.substr(i, n));
      i += n;
      left_ -= n;
      if (left_ == 0) state_ = state::data_cr;
      continue;
    }
    char c = bytes[i++];
    switch (state_) {
      case state::size:
        if (int digit = hex_value(c); digit >= 0) {
          if (++digits_ > 13) failed_ = true;
          left_ = left_ * 16 + static_cast<unsigned>(digit);
        } else if (digits_ == 0) {
          failed_ = true;
        } else if (c == '\r') {
          state_ = state::size_cr;
        } else if ((c == ';' || c == ' ' || c == '\t') && extensions_ == chunk_extensions::skip) {
          state_ = state::extension;
        } else {
          failed_ = true;
        }
        break;
      case state::extension:
        if (c == '\r') {
          state_ = state::size_cr;
        } else if (is_control(c) || ++skipped_ > most_skipped) {
          failed_ = true;
        }
        break;
      case state::size_cr:
        if (c != '\n') {
          failed_ = true;
        } else {
          state_ = left_ == 0 ? state::trailer : state::data;
          digits_ = 0;
          skipped_ = 0;
        }
        break;
      case state::data: break;
      case state::data_cr:
        failed_ = c != '\r';
        state_ = state::data_lf;
        break;
      case state::data_lf:
        failed_ = c != '\n';
        state_ = state::size;
        break;
      case state::trailer:  // at the start of a line
        if (c == '\r') {
          state_ = state::end_cr;
        } else {
          failed_ = !is_token({&c, 1}) || ++skipped_ > most_skipped;
          state_ = state::trailer_name;
        }
        break;
      case state::trailer_name:
        // What is no field may be the next request to a reader that ends the body earlier.
        if (c == ':') {
          state_ = state::trailer_line;
        } else {
          failed_ = !is_token({&c, 1}) || ++skipped_ > most_skipped;
        }
        break;
      case state::trailer_line:
        if (c == '\r') {
          state_ = state::trailer_cr;
        } else if (is_control(c) || ++skipped_ > most_skipped) {
          failed_ = true;
        }
        break;
      case state::trailer_cr:
        failed_ = c != '\n';
        state_ = state::trailer;
        break;
      case state::end_cr:
        failed_ = c != '\n';
        done_ = !failed_;
        break;
    }
  }
  return i;
}

bool body_decoder::finish() {
  if (how_ == framing::until_close) done_ = true;
  return done_ && !failed_;
}

}  // namespace mcp_oauth::net
