#include "net/reach.h"

#include "net/descriptor.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

using steady = std::chrono::steady_clock;

int left(steady::time_point until) {
  auto ms = std::chrono::duration_cast<milliseconds>(until - steady::now()).count();
  return ms > 0 ? static_cast<int>(ms) : 0;
}

bool wait_for(int fd, short what, steady::time_point until) {
  pollfd one{fd, what, 0};
  int ready = 0;
  do ready = ::poll(&one, 1, left(until));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

std::string address_text(const addrinfo& a) {
  std::array<char, NI_MAXHOST> text{};
  ::getnameinfo(a.ai_addr, a.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return text.data();
}

// 0, or the errno of a connection that does not come about.
int connect_to(int fd, const addrinfo& a, steady::time_point until) {
  if (::connect(fd, a.ai_addr, a.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(fd, POLLOUT, until)) return ETIMEDOUT;
  int why = 0;
  socklen_t size = sizeof why;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size);
  return why;
}

descriptor connect_any(const reach_wish& wish, reached& into) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int failed = ::getaddrinfo(wish.host.c_str(), std::to_string(wish.port).c_str(), &hints, &found);
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(failed == 0 ? found : nullptr, &::freeaddrinfo);
  if (failed != 0) {
    into.name_failure = ::gai_strerror(failed);
    return descriptor();
  }
  for (const auto* a = all.get(); a != nullptr; a = a->ai_next) into.addresses.push_back(address_text(*a));
  const auto until = steady::now() + wish.patience;
  for (const auto* a = all.get(); a != nullptr; a = a->ai_next) {
    descriptor fd(::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol));
    int why = !fd ? errno : connect_to(fd.number(), *a, until);
    if (why == 0) {
      into.connected_to = address_text(*a);
      into.connect_failure.clear();
      into.refused = into.timed_out = false;
      return fd;
    }
    into.connect_failure = address_text(*a) + ": " + std::generic_category().message(why);
    into.refused = why == ECONNREFUSED;
    into.timed_out = why == ETIMEDOUT;
  }
  return descriptor();
}

time_point time_of(const ASN1_TIME* t) {
  std::tm utc{};
  return ASN1_TIME_to_tm(t, &utc) == 1 ? from_unix(timegm(&utc)) : time_point{};
}

std::string name_of(X509_NAME* name) {
  std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  auto size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size > 0 ? size : 0)).substr(0, 300);
}

std::vector<std::string> names_of(X509* cert) {
  std::vector<std::string> names;
  auto* all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all) && names.size() < 20; ++i) {
    const auto* one = sk_GENERAL_NAME_value(all, i);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (one->type == GEN_DNS) {
      const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName));
      names.emplace_back(data, static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName)));
    } else if (one->type == GEN_IPADD) {
      int size = ASN1_STRING_length(one->d.iPAddress);
      if (size != 4 && size != 16) continue;
      ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(one->d.iPAddress), text.data(),
                  text.size());
      names.emplace_back(text.data());
    }
  }
  GENERAL_NAMES_free(all);
  return names;
}

void judge(long verdict, reached& into) {
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: into.wrong_dates = true; break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: into.wrong_name = true; break;
    default: into.untrusted_chain = true;
  }
}

reached& notes_of(X509_STORE_CTX* store) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return *static_cast<reached*>(SSL_get_app_data(ssl));
}

// Called for each thing that is wrong, and for each certificate that is right.
int on_certificate(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  auto& into = notes_of(store);
  long why = X509_STORE_CTX_get_error(store);
  judge(why, into);
  std::string words = X509_verify_cert_error_string(why);
  if (into.tls_failure.find(words) == std::string::npos)
    into.tls_failure += (into.tls_failure.empty() ? "" : "; ") + words;
  return 1;
}

void keep_chain(SSL* ssl, reached& into) {
  auto* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain) && i < 10; ++i) {
    auto* cert = sk_X509_value(chain, i);
    reached::certificate one;
    one.subject = name_of(X509_get_subject_name(cert));
    one.issuer = name_of(X509_get_issuer_name(cert));
    one.begins = time_of(X509_get0_notBefore(cert));
    one.ends = time_of(X509_get0_notAfter(cert));
    one.names = names_of(cert);
    into.chain.push_back(std::move(one));
  }
}

std::string words_of_openssl() {
  auto code = ERR_peek_error();
  const char* words = ERR_reason_error_string(code);
  return words != nullptr ? words : "the connection was closed in the middle of the handshake";
}

bool is_clear_text() {
  int reason = ERR_GET_REASON(ERR_peek_error());
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
         reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_UNKNOWN_PROTOCOL;
}

// OpenSSL writes to its descriptor, and one that the other side has closed must not end the program.
class no_sigpipe {
 public:
  no_sigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~no_sigpipe() {
    timespec at_once{};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  no_sigpipe(const no_sigpipe&) = delete;
  no_sigpipe& operator=(const no_sigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

void shake_hands(int fd, const reach_wish& wish, reached& into) {
  into.tls_tried = true;
  const no_sigpipe blocked;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX_set_default_verify_paths(context.get());
  if (!wish.ca_file.empty()) SSL_CTX_load_verify_locations(context.get(), wish.ca_file.c_str(), nullptr);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, &on_certificate);
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_app_data(ssl.get(), &into);
  in6_addr ignored{};
  bool literal = ::inet_pton(AF_INET, wish.host.c_str(), &ignored) == 1 ||
                 ::inet_pton(AF_INET6, wish.host.c_str(), &ignored) == 1;
  if (literal) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), wish.host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), wish.host.c_str());
    SSL_set1_host(ssl.get(), wish.host.c_str());
  }
  SSL_set_fd(ssl.get(), fd);
  const auto until = steady::now() + wish.patience;
  ERR_clear_error();
  while (true) {
    int done = SSL_connect(ssl.get());
    if (done == 1) break;
    int want = SSL_get_error(ssl.get(), done);
    bool waits = want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE;
    if (waits && wait_for(fd, want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until)) continue;
    into.cleartext = !waits && is_clear_text();
    into.tls_failure = waits ? "no answer to the handshake in time" : words_of_openssl();
    ERR_clear_error();
    return;
  }
  into.tls_done = true;
  keep_chain(ssl.get(), into);
  into.trusted = !into.untrusted_chain && !into.wrong_name && !into.wrong_dates;
  SSL_shutdown(ssl.get());
}

}  // namespace

reached reach(const reach_wish& wish) {
  reached into;
  into.host = wish.host;
  into.port = wish.port;
  auto fd = connect_any(wish, into);
  if (fd && wish.tls) shake_hands(fd.number(), wish, into);
  return into;
}

}  // namespace mcp_oauth::net
