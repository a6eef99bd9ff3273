#include "mcp/error_body.h"

#include "symptom/catalogue.h"

namespace mcp_oauth {

int jsonrpc_code(errc code) {
  if (code == errc::header_mismatch) return jsonrpc::header_mismatch;
  if (code == errc::body_not_json) return jsonrpc::parse_error;
  if (code == errc::protocol_version_unsupported) return jsonrpc::unsupported_protocol_version;
  int status = explain(code).status;
  return status >= 400 && status < 500 ? jsonrpc::invalid_request : jsonrpc::internal_error;
}

std::string jsonrpc_error(std::string_view raw_id, int code, std::string_view message, json::object data) {
  json::object e;
  e["code"] = code;
  e["message"] = json::string(message.data(), message.size());
  if (!data.empty()) e["data"] = std::move(data);
  std::string body = R"({"jsonrpc":"2.0","id":)";
  body += raw_id.empty() ? std::string_view("null") : raw_id;
  body += R"(,"error":)";
  body += json::serialize(e);
  body += '}';
  return body;
}

}  // namespace mcp_oauth
