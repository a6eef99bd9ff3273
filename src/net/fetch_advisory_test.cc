// What went wrong when servers of others fetched what strangers named, done to ours: docs/past-mistakes.md
// has the whole list.

#include "net/http_client.h"
#include "net/one_answer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

namespace {

// What the resolver says about names that end in ".invalid" (RFC 6761 §6.4), one look-up after the other, the
// last one for good; nobody else is ever asked for those.
using answers = std::vector<std::vector<std::string>>;
std::map<std::string, answers>& zone() {
  static std::map<std::string, answers> made;
  return made;
}
std::atomic<int> looked_up{0};

// An address of somebody else: whoever connects to it is refused, and counted, on this machine.
constexpr const char* elsewhere = "8.8.8.8";
std::atomic<int> went_elsewhere{0};

using look_up = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
look_up of_the_system() {
  static const auto found = reinterpret_cast<look_up>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return found;
}

}  // namespace

// In the place of the system's, also for curl.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                                  const addrinfo* hints, addrinfo** out) {
  auto known = zone().find(name != nullptr ? name : "");
  if (known == zone().end()) return of_the_system()(name, service, hints, out);
  auto turn = std::min(static_cast<std::size_t>(looked_up++), known->second.size() - 1);
  addrinfo wanted = hints != nullptr ? *hints : addrinfo{};
  wanted.ai_flags = AI_NUMERICHOST;
  wanted.ai_family = AF_UNSPEC;
  addrinfo** next = out;
  for (const auto& address : known->second[turn]) {
    *next = nullptr;
    if (of_the_system()(address.c_str(), service, &wanted, next) != 0) return EAI_NONAME;
    while (*next != nullptr) next = &(*next)->ai_next;
  }
  return 0;
}

extern "C" __attribute__((visibility("default"))) int connect(int socket, const sockaddr* to,
                                                              socklen_t size) {
  static const auto of_the_system =
      reinterpret_cast<int (*)(int, const sockaddr*, socklen_t)>(dlsym(RTLD_NEXT, "connect"));
  in_addr foreign{};
  inet_pton(AF_INET, elsewhere, &foreign);
  bool is_foreign =
      to->sa_family == AF_INET && reinterpret_cast<const sockaddr_in*>(to)->sin_addr.s_addr == foreign.s_addr;
  if (!is_foreign) return of_the_system(socket, to, size);
  ++went_elsewhere;
  errno = ECONNREFUSED;
  return -1;
}

namespace mcp_oauth::net {
namespace {

constexpr const char* ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

fetch_rules of_strangers() {
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  return rules;
}

errc verdict(const http_call& call, const fetch_rules& rules) {
  auto got = fetch(call, rules);
  return got ? errc::count_ : got.error().code;
}

class AdvisoryFetch : public testing::Test {
 protected:
  AdvisoryFetch() { looked_up = went_elsewhere = 0; }
  ~AdvisoryFetch() override { zone().clear(); }
};

// spring-ai-community mcp-security and the MCP Registry: metadata that named an inner address.
TEST_F(AdvisoryFetch, CVE_2026_45609_NoSpellingOfThisMachineIsAsked) {
  one_answer server(ok);
  for (const char* host : {"127.0.0.1",
                           "127.1",
                           "127.0.1",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "0177.0.0.1",
                           "017700000001",
                           "0.0.0.0",
                           "0",
                           "localhost",
                           "LOCALHOST",
                           "localhost.",
                           "[::1]",
                           "[::]",
                           "[::ffff:127.0.0.1]",
                           "[::127.0.0.1]",
                           "[::ffff:0:127.0.0.1]",
                           "[64:ff9b::127.0.0.1]",
                           "[64:ff9b:1::7f00:1]",
                           "[2002:7f00:1::]",
                           "[2001::1]",
                           "[fe80::1]",
                           "[fec0::1]",
                           "[fc00::1]",
                           "[ff02::1]",
                           "169.254.169.254",
                           "10.0.0.1",
                           "100.64.0.1",
                           "198.18.0.1",
                           "192.0.2.1",
                           "224.0.0.1",
                           "user@127.0.0.1",
                           "8.8.8.8@127.0.0.1",
                           "%31%32%37.0.0.1"}) {
    EXPECT_NE(verdict(server.call(host), of_strangers()), errc::count_) << host;
    EXPECT_FALSE(server.asked()) << host;
  }
}

// A name that leads inside, alone or among others; what is refused is not tried under its next address.
TEST_F(AdvisoryFetch, CVE_2026_44430_OneInnerAddressRefusesTheName) {
  one_answer server(ok);
  zone() = {
      {"inner.invalid", {{"127.0.0.1"}}},       {"first.invalid", {{"127.0.0.1", elsewhere, "127.0.0.1"}}},
      {"six.invalid", {{"::1", elsewhere}}},    {"mapped.invalid", {{"::ffff:127.0.0.1", elsewhere}}},
      {"cloud.invalid", {{"169.254.169.254"}}}, {"unspecified.invalid", {{"0.0.0.0", "::"}}}};
  for (const auto& [name, addresses] : zone()) {
    looked_up = 0;
    EXPECT_EQ(verdict(server.call(name), of_strangers()), errc::address_refused) << name;
    EXPECT_EQ(looked_up, 1) << name;
    EXPECT_FALSE(server.asked()) << name;
    EXPECT_EQ(went_elsewhere, 0) << name;
  }
  // In the other order somebody else is asked first, and then nobody.
  zone() = {{"second.invalid", {{elsewhere, "127.0.0.1"}}}};
  EXPECT_NE(verdict(server.call("second.invalid"), of_strangers()), errc::count_);
  EXPECT_FALSE(server.asked());
  EXPECT_EQ(went_elsewhere, 1);
}

// With a proxy between, the address that is judged would be the proxy's, and the proxy would go anywhere.
TEST_F(AdvisoryFetch, CVE_2026_44430_NoProxyOfTheEnvironmentGoesInsideForStrangers) {
  one_answer server(ok);
  zone() = {{"proxy.invalid", {{elsewhere}}}, {"inner.invalid", {{"127.0.0.1"}}}};
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"})
    ::setenv(name, "http://proxy.invalid:3128", 1);
  EXPECT_EQ(verdict(server.call("inner.invalid"), of_strangers()), errc::address_refused);
  EXPECT_EQ(went_elsewhere, 0);
  // What we name ourselves goes through it, as everywhere on such a machine.
  EXPECT_EQ(verdict(server.call("inner.invalid"), {}), errc::fetch_failed);
  EXPECT_EQ(went_elsewhere, 1);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"})
    ::unsetenv(name);
  EXPECT_FALSE(server.asked());
}

// ContextForge: when the address that was judged did not work, the name was looked up again. And the attack
// that this opens: a name that is somebody else's when it is judged, and ours when it is connected to.
TEST_F(AdvisoryFetch, GHSA_gv3m_3mvj_w6f2_TheAddressThatIsJudgedIsTheOneThatIsUsed) {
  one_answer server(ok);
  zone() = {{"rebound.invalid", {{elsewhere}, {"127.0.0.1"}}}};
  EXPECT_EQ(verdict(server.call("rebound.invalid"), of_strangers()), errc::fetch_failed);
  EXPECT_EQ(went_elsewhere, 1) << "where the judged address is";
  EXPECT_EQ(looked_up, 1);
  EXPECT_FALSE(server.asked());
  // Now it says that it is here.
  zone() = {{"rebound.invalid", {{"127.0.0.1"}}}};
  EXPECT_NE(verdict(server.call("rebound.invalid"), of_strangers()), errc::count_);
  EXPECT_FALSE(server.asked());
}

// A connection that was made for ourselves is not lent to a stranger's request.
TEST_F(AdvisoryFetch, GHSA_gv3m_3mvj_w6f2_AConnectionThatIsOpenIsNotUsedForStrangers) {
  one_answer server(ok, 5);
  zone() = {{"ours.invalid", {{"127.0.0.1"}}}};
  ASSERT_EQ(verdict(server.call("ours.invalid"), {}), errc::count_);
  ASSERT_EQ(verdict(server.call("ours.invalid"), {}), errc::count_);
  ASSERT_EQ(server.answered(), 2) << "it is kept, for our own";
  EXPECT_EQ(verdict(server.call("ours.invalid"), of_strangers()), errc::address_refused);
  EXPECT_EQ(server.answered(), 2);
}

// ContextForge and others: a redirect led inside.
TEST_F(AdvisoryFetch, ContextForge_2026_ARedirectIsAnAnswerAndNotFollowed) {
  for (const char* status : {"301", "302", "303", "307", "308", "300", "201"}) {
    one_answer inner(ok);
    one_answer server("HTTP/1.1 " + std::string(status) + " Moved\r\nLocation: " + inner.call().url +
                      "\r\nRefresh: 0;url=" + inner.call().url + "\r\nContent-Length: 0\r\n\r\n");
    auto got = fetch(server.call(), {});
    ASSERT_TRUE(got) << status;
    EXPECT_EQ(std::to_string(got->status), status);
    EXPECT_FALSE(inner.asked()) << status;
  }
}

// liboauth2 (CWE-918): a document was whatever the library could open.
TEST_F(AdvisoryFetch, Liboauth2_2026_OnlyHttpIsSpoken) {
  for (const char* url : {"file:///etc/hostname", "file://localhost/etc/hostname", "ftp://127.0.0.1/x",
                          "gopher://127.0.0.1:1/_x", "dict://127.0.0.1:1/x", "ldap://127.0.0.1/x",
                          "smb://127.0.0.1/x", "telnet://127.0.0.1", "data:text/plain,x", "scp://127.0.0.1/x",
                          "imap://127.0.0.1/", "mqtt://127.0.0.1/x", "ws://127.0.0.1/"}) {
    http_call call;
    call.url = url;
    EXPECT_EQ(verdict(call, {}), errc::fetch_failed) << url;
  }
}

// A stream of deflate that says "and 258 more of the same" again and again: 13 bits for 258 bytes.
std::string gzip_of_zeros(std::size_t bytes) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  unsigned held = 0, count = 0;
  auto bits = [&](unsigned value, unsigned n) {
    for (unsigned i = 0; i < n; ++i) {
      held |= (value >> i & 1) << count;
      if (++count == 8) {
        out += static_cast<char>(held);
        held = count = 0;
      }
    }
  };
  auto code = [&](unsigned value, unsigned n) {  // Huffman codes stand with the highest bit first
    for (unsigned i = n; i-- > 0;) bits(value >> i & 1, 1);
  };
  bits(1, 1);     // the last block
  bits(1, 2);     // fixed codes
  code(0x30, 8);  // a zero
  for (std::size_t made = 1; made < bytes; made += 258) {
    code(0xC5, 8);  // 258 bytes
    code(0, 5);     // from one byte before
  }
  code(0, 7);
  bits(0, 7);
  return out;
}

std::string answer_with(const std::string& fields, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// mod_auth_openidc, 2026-08: what came was unpacked without a bound. We ask for nothing packed and unpack
// nothing that we did not ask for; what the transfer itself packs is counted as it comes out.
TEST_F(AdvisoryFetch, ModAuthOpenidc_2026_08_NothingUnpacksBeyondTheBound) {
  const auto bomb = gzip_of_zeros(64 << 20);
  ASSERT_LT(bomb.size(), 512u * 1024);
  fetch_rules rules;
  rules.most_bytes = 1 << 20;
  for (const char* encoding :
       {"gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "compress", "identity"}) {
    one_answer server(answer_with("Content-Encoding: " + std::string(encoding) + "\r\n", bomb));
    auto got = fetch(server.call(), rules);
    ASSERT_TRUE(got) << encoding << got.error().detail;
    EXPECT_EQ(got->body, bomb) << encoding << ": as it came";
    EXPECT_EQ(server.request().find("ncoding"), std::string::npos) << server.request();
  }
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", bomb.size());
  for (const char* coding : {"gzip, chunked", "gzip", "chunked, gzip", "deflate, chunked",
                             "gzip, gzip, gzip, gzip, gzip, gzip, chunked"}) {
    one_answer server("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + std::string(coding) +
                      "\r\nConnection: close\r\n\r\n" + size + bomb + "\r\n0\r\n\r\n");
    auto got = fetch(server.call(), rules);
    EXPECT_TRUE(!got || got->body.size() <= rules.most_bytes) << coding;
    if (std::string(coding) == "gzip, chunked") {
      // Debian 12's libcurl unpacks it and meets the bound; Debian 13's refuses what nobody asked for.
      ASSERT_FALSE(got) << "it is refused, or unpacked and counted";
      const auto code = got.error().code;
      EXPECT_TRUE(code == errc::fetch_too_large || code == errc::fetch_failed) << got.error().detail;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth::net
