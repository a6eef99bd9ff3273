#pragma once

#include "net/http_head.h"

#include <cstdint>
#include <string_view>

#include <boost/container/small_vector.hpp>

namespace mcp_oauth::net {

// Chunk extensions: refused in what clients send (nobody needs them, and readers disagree about them),
// skipped in what an upstream sends (RFC 9112 §7.1.1).
enum class chunk_extensions { refuse, skip };

// Where content lies, in order. What one read brings is one piece, unless it came in chunks.
using content_pieces = boost::container::small_vector<std::string_view, 8>;

// Takes the framing off a body, piece by piece, without copying.
class body_decoder {
 public:
  body_decoder() = default;
  body_decoder(framing how, std::uint64_t length, chunk_extensions extensions)
      : how_(how), extensions_(extensions), left_(length), done_(how == framing::none) {}

  // Appends the content found in `bytes` to `pieces` (views into `bytes`) and returns how many bytes it used.
  // Stops behind the end of the body. Nothing more comes after `failed()`.
  std::size_t feed(std::string_view bytes, content_pieces& pieces);
  // The connection ended: whether that is a proper end.
  bool finish();

  bool done() const { return done_; }
  bool failed() const { return failed_; }

 private:
  enum class state {
    size,
    size_cr,
    extension,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_name,
    trailer_line,
    trailer_cr,
    end_cr
  };
  std::size_t feed_chunked(std::string_view bytes, content_pieces& pieces);

  framing how_ = framing::none;
  chunk_extensions extensions_ = chunk_extensions::refuse;
  std::uint64_t left_ = 0;
  state state_ = state::size;
  unsigned digits_ = 0;
  unsigned skipped_ = 0;  // bytes of extensions and trailers, bounded
  bool done_ = true;
  bool failed_ = false;
};

}  // namespace mcp_oauth::net
