#pragma once

#include "base/error.h"
#include "base/time.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace mcp_oauth::net {

// A TLS configuration, shared by the connections made from it. Immutable: a reload makes another one.
class tls_context {
 public:
  // TLS 1.2 and later, the certificate chain and key read from PEM files.
  // Errors: tls_certificate_invalid, with the file and the system's or OpenSSL's reason.
  // With client_certificates::asked_for a client may show any, also one that it made itself: that it has the
  // key is checked, who it is not (RFC 8705 §3: only whether it is the one that a token is bound to matters).
  enum class client_certificates { not_asked_for, asked_for };
  static result<std::shared_ptr<const tls_context>> server(
      const std::string& cert_file, const std::string& key_file,
      client_certificates clients = client_certificates::not_asked_for);
  // Verifies the peer against the system's authorities and those in `ca_file`, when given. Errors:
  // ca_file_invalid.
  static result<std::shared_ptr<const tls_context>> client(const std::string& ca_file);
  // The same, and shows a certificate of its own (PEM files; the key may stand with it: "").
  // Errors: tls_certificate_invalid.
  struct client_files {
    std::vector<std::string> authorities;
    std::string certificate, key;
  };
  static result<std::shared_ptr<const tls_context>> client(const client_files& files);

  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;
  ssl_ctx_st* native() const { return context_; }

  // What a server's certificate says about itself, and whether clients that reach it as `host` (a name or an
  // address) take it for that. Not checked: who signed it.
  struct certificate {
    time_point begins, ends;
    bool is_for_host = false;
    std::vector<std::string> names;  // as it lists them
  };
  certificate shown_to(const std::string& host) const;

 private:
  explicit tls_context(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// One TLS connection over a descriptor that somebody else owns and waits for.
class tls_session {
 public:
  enum class role { server, client };
  // `name`: for a client, the host the certificate must be for (a DNS name or an IP literal), and SNI.
  tls_session(std::shared_ptr<const tls_context> context, int descriptor, role r, const std::string& name);
  ~tls_session();
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;

  enum class want { nothing, read, write, closed, failed };
  want handshake();
  // `moved`: how many bytes went.
  want read(char* data, std::size_t size, std::size_t& moved);
  want write(const char* data, std::size_t size, std::size_t& moved);
  // Whether another read may find something: in what was received, or still in the socket. A socket that gave
  // less than there was room for is empty until it says otherwise.
  bool may_have_more() const;
  // It says otherwise.
  void more_came() { drained_ = false; }
  // Whether the socket ended without the other side's goodbye, which many leave out. `read` says closed then,
  // too: a message that knows its own length is whole.
  bool was_cut_off() const { return cut_off_; }
  // Says goodbye, so that the session can be resumed; does not wait for an answer.
  void close_notify() noexcept;
  // BASE64URL(SHA-256(DER)) of the certificate that the peer showed; "" when it showed none.
  std::string_view peer_thumbprint() const;
  // Why the handshake failed, for our log.
  std::string failure() const;
  // Whether that was because the other side's first bytes were no TLS.
  bool met_clear_text() const;

 private:
  friend int read_descriptor(bio_st* bio, char* data, int size);
  friend int write_descriptor(bio_st* bio, const char* data, int size);
  want after(int returned);
  std::shared_ptr<const tls_context> context_;
  ssl_st* ssl_;
  int descriptor_;
  bool drained_ = false;  // the last read of the socket was short
  bool cut_off_ = false;
  bool broken_ = false;
  unsigned long reason_ = 0;
  mutable std::optional<std::string> peer_thumbprint_;
};

}  // namespace mcp_oauth::net
