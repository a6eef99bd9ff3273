#pragma once

// The one place that names the Asio types in use; included by net/*.cc and the two headers that hold sockets.

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace mcp_oauth::net {

namespace asio = boost::asio;
using boost::system::error_code;
using executor = asio::io_context::executor_type;
// Any stream socket: TCP, and socket pairs in tests.
using socket = asio::basic_stream_socket<asio::generic::stream_protocol, executor>;

}  // namespace mcp_oauth::net
