#include "net/tls.h"

#include "base/base64url.h"
#include "base/file_words.h"

#include <cerrno>
#include <cstring>
#include <ctime>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

std::string openssl_reason() {
  // The first: what comes after it says no more than which part of OpenSSL was on the way.
  auto code = ERR_peek_error();
  const char* text = code == 0                ? nullptr
                     : ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code))
                                              : ERR_reason_error_string(code);
  ERR_clear_error();
  return text != nullptr ? text : "unknown reason";
}

// What keeps a file from being read. OpenSSL would say "system lib".
result<void> readable(errc code, const std::string& key, const std::string& path) {
  auto why = why_unreadable(path);
  if (why.empty()) return {};
  return fail(code, key + " " + path + ": " + why);
}

time_point point_of(const ASN1_TIME* at) {
  std::tm broken{};
  if (ASN1_TIME_to_tm(at, &broken) != 1) return {};
  return from_unix(::timegm(&broken));
}

// The DNS names and addresses of a certificate, as it lists them.
std::vector<std::string> names_in(X509* certificate) {
  std::vector<std::string> found;
  auto* all =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all); ++i) {
    const auto* one = sk_GENERAL_NAME_value(all, i);
    if (one->type == GEN_DNS) {
      const auto* text = one->d.dNSName;
      found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text)));
    } else if (one->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = "";
      int family = ASN1_STRING_length(one->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (family == AF_INET6 && ASN1_STRING_length(one->d.iPAddress) != 16) continue;
      inet_ntop(family, ASN1_STRING_get0_data(one->d.iPAddress), text, sizeof text);
      found.emplace_back(text);
    }
  }
  GENERAL_NAMES_free(all);
  return found;
}

SSL_CTX* make_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // A record's head and what follows it in one read of the socket.
  SSL_CTX_set_read_ahead(context, 1);
  // Forward secrecy and AEAD only, for TLS 1.2; TLS 1.3 has nothing else.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  return context;
}

bool should_retry() { return errno == EAGAIN || errno == EWOULDBLOCK; }

tls_session& session_of(BIO* bio) { return *static_cast<tls_session*>(BIO_get_data(bio)); }

}  // namespace

// The descriptor, as OpenSSL reads and writes it: like its own socket BIO, but a peer that went away is an
// error of the write and no SIGPIPE for the whole program.
int write_descriptor(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do {
    n = ::send(session_of(bio).descriptor_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && should_retry()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int read_descriptor(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  auto& session = session_of(bio);
  ssize_t n = 0;
  do {
    n = ::recv(session.descriptor_, data, static_cast<std::size_t>(size), 0);
  } while (n < 0 && errno == EINTR);
  session.drained_ = n < size;
  if (n < 0 && should_retry()) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  if (n == 0) session.cut_off_ = true;  // nobody reads on behind a goodbye
  return static_cast<int>(n);
}

namespace {

long bio_control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default: return 0;
  }
}

BIO* bio_of(tls_session& session) {
  static BIO_METHOD* const method = [] {
    auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "descriptor");
    BIO_meth_set_write(m, &write_descriptor);
    BIO_meth_set_read(m, &read_descriptor);
    BIO_meth_set_ctrl(m, &bio_control);
    return m;
  }();
  BIO* bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &session);
  BIO_set_init(bio, 1);
  return bio;
}

bool is_ip_literal(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

result<std::shared_ptr<const tls_context>> tls_context::server(const std::string& cert_file,
                                                               const std::string& key_file,
                                                               client_certificates clients) {
  ERR_clear_error();
  std::shared_ptr<const tls_context> made(new tls_context(make_context(TLS_server_method())));
  auto* context = made->native();
  if (context == nullptr) return fail(errc::internal, "no TLS context");
  if (auto there = readable(errc::tls_certificate_invalid, "tls.cert_file", cert_file); !there)
    return tl::unexpected<error>(there.error());
  if (auto there = readable(errc::tls_certificate_invalid, "tls.key_file", key_file); !there)
    return tl::unexpected<error>(there.error());
  if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    return fail(errc::tls_certificate_invalid, "tls.cert_file " + cert_file + ": " + openssl_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(errc::tls_certificate_invalid, "tls.key_file " + key_file + ": " + openssl_reason());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return fail(errc::tls_certificate_invalid, cert_file + " and " + key_file + " do not belong together");
  }
  constexpr unsigned char session_id_context[] = "mcp-oauth-proxy";
  SSL_CTX_set_session_id_context(context, session_id_context, sizeof session_id_context - 1);
  if (clients == client_certificates::asked_for)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  return made;
}

result<std::shared_ptr<const tls_context>> tls_context::client(const std::string& ca_file) {
  ERR_clear_error();
  std::shared_ptr<const tls_context> made(new tls_context(make_context(TLS_client_method())));
  auto* context = made->native();
  if (context == nullptr) return fail(errc::internal, "no TLS context");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context);  // a machine without any is one where only ca_file counts
  if (auto there = readable(errc::ca_file_invalid, "upstream_ca_file", ca_file); !ca_file.empty() && !there)
    return tl::unexpected<error>(there.error());
  int trusted = ca_file.empty() ? 1 : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
  if (trusted != 1)
    return fail(errc::ca_file_invalid, "upstream_ca_file " + ca_file + ": " + openssl_reason());
  return made;
}

tls_context::certificate tls_context::shown_to(const std::string& host) const {
  certificate about;
  X509* shown = SSL_CTX_get0_certificate(context_);
  if (shown == nullptr) return about;
  about.begins = point_of(X509_get0_notBefore(shown));
  about.ends = point_of(X509_get0_notAfter(shown));
  about.names = names_in(shown);
  about.is_for_host = is_ip_literal(host)
                          ? X509_check_ip_asc(shown, host.c_str(), 0) == 1
                          : X509_check_host(shown, host.data(), host.size(),
                                            X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  return about;
}

result<std::shared_ptr<const tls_context>> tls_context::client(const client_files& files) {
  auto made = client(std::string());
  if (!made) return made;
  auto* context = (*made)->native();
  auto refuse = [](const std::string& file) {
    auto why = why_unreadable(file);
    return fail(errc::tls_certificate_invalid, file + ": " + (why.empty() ? openssl_reason() : why));
  };
  for (const auto& file : files.authorities) {
    if (SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) != 1) return refuse(file);
  }
  if (files.certificate.empty()) return made;
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return refuse(files.certificate);
  const auto& key = files.key.empty() ? files.certificate : files.key;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return refuse(key);
  if (SSL_CTX_check_private_key(context) != 1)
    return fail(errc::tls_certificate_invalid, files.certificate + " and " + key + " do not belong together");
  return made;
}

tls_context::~tls_context() { SSL_CTX_free(context_); }

tls_session::tls_session(std::shared_ptr<const tls_context> context, int descriptor, role r,
                         const std::string& name)
    : context_(std::move(context)), ssl_(SSL_new(context_->native())), descriptor_(descriptor) {
  BIO* bio = ssl_ != nullptr ? bio_of(*this) : nullptr;
  if (bio == nullptr) {
    broken_ = true;
    return;
  }
  SSL_set_bio(ssl_, bio, bio);
  if (r == role::server) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  if (is_ip_literal(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_, name.c_str());
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl_, name.c_str()) != 1) broken_ = true;
  }
}

tls_session::~tls_session() { SSL_free(ssl_); }

tls_session::want tls_session::after(int returned) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: return want::read;
    case SSL_ERROR_WANT_WRITE: return want::write;
    case SSL_ERROR_ZERO_RETURN: return want::closed;
    default:
      reason_ = ERR_peek_last_error();
      broken_ = true;
      return want::failed;
  }
}

tls_session::want tls_session::handshake() {
  if (broken_) return want::failed;
  ERR_clear_error();
  int returned = SSL_do_handshake(ssl_);
  return returned == 1 ? want::nothing : after(returned);
}

tls_session::want tls_session::read(char* data, std::size_t size, std::size_t& moved) {
  moved = 0;
  if (broken_) return want::failed;
  ERR_clear_error();
  int returned = SSL_read_ex(ssl_, data, size, &moved);
  return returned == 1 ? want::nothing : after(returned);
}

tls_session::want tls_session::write(const char* data, std::size_t size, std::size_t& moved) {
  moved = 0;
  if (broken_) return want::failed;
  ERR_clear_error();
  int returned = SSL_write_ex(ssl_, data, size, &moved);
  return returned == 1 ? want::nothing : after(returned);
}

std::string_view tls_session::peer_thumbprint() const {
  if (peer_thumbprint_) return *peer_thumbprint_;
  peer_thumbprint_.emplace();
  if (X509* shown = broken_ ? nullptr : SSL_get1_peer_certificate(ssl_); shown != nullptr) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(shown, EVP_sha256(), digest, &size) == 1)
      peer_thumbprint_ = base64url_encode({reinterpret_cast<const char*>(digest), size});
    X509_free(shown);
  }
  return *peer_thumbprint_;
}

bool tls_session::may_have_more() const { return !drained_ || SSL_has_pending(ssl_) == 1; }

void tls_session::close_notify() noexcept {
  if (broken_ || SSL_in_init(ssl_) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
}

bool tls_session::met_clear_text() const {
  return ERR_GET_LIB(reason_) == ERR_LIB_SSL && ERR_GET_REASON(reason_) == SSL_R_WRONG_VERSION_NUMBER;
}

std::string tls_session::failure() const {
  if (long verified = SSL_get_verify_result(ssl_); verified != X509_V_OK) {
    return X509_verify_cert_error_string(verified);
  }
  const char* text = reason_ != 0 ? ERR_reason_error_string(reason_) : nullptr;
  return text != nullptr ? text : "the other side closed";
}

}  // namespace mcp_oauth::net
