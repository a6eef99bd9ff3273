// What the library spends on a token, beside what OpenSSL spends on its signature, and whether threads get in
// each other's way: ./dev bench validate [--short]
//
// Every round measures all three in turn, so that what else the machine does meets each of them; the medians
// count.

#include "base/base64url.h"
#include "base/json.h"
#include "base/secret.h"
#include "jose/jws.h"
#include "jose/key.h"
#include "jose/key_set.h"
#include "library/names.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace {

using namespace mcp_oauth;
using steady = std::chrono::steady_clock;

[[noreturn]] void stop(const char* why) {
  std::fprintf(stderr, "validate: %s\n", why);
  std::exit(1);
}

struct key_pair {
  std::string name;
  EVP_PKEY* pkey;
  signing_key signer;
  const char* digest;  // null: EdDSA
};

key_pair generate(const std::string& name) {
  EVP_PKEY* pkey = name == "RS256"   ? EVP_RSA_gen(2048)
                   : name == "ES256" ? EVP_EC_gen("P-256")
                                     : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(out, pkey, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  auto size = BIO_get_mem_data(out, &text);
  auto signer = signing_key::from_pem(secret(std::string(text, static_cast<std::size_t>(size))));
  BIO_free(out);
  if (!signer) stop("no key");
  return {name, pkey, *signer, name == "EdDSA" ? nullptr : "SHA256"};
}

// A token, and its signature as OpenSSL wants it.
struct sample {
  std::string token, input, signature;
};

std::string der(const std::string& raw) {
  ECDSA_SIG* sig = ECDSA_SIG_new();
  auto half = static_cast<int>(raw.size() / 2);
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG_set0(sig, BN_bin2bn(bytes, half, nullptr), BN_bin2bn(bytes + half, half, nullptr));
  unsigned char* encoded = nullptr;
  int size = i2d_ECDSA_SIG(sig, &encoded);
  std::string out(reinterpret_cast<char*>(encoded), static_cast<std::size_t>(size));
  OPENSSL_free(encoded);
  ECDSA_SIG_free(sig);
  return out;
}

std::vector<sample> sign(const key_pair& key, std::size_t count, std::int64_t now) {
  std::vector<sample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    json::object c;
    c["iss"] = "https://idp.example.com/realms/main";
    c["sub"] = "7f1c2b7c-9a11-4e0e-9d2d-5b1f0c3e7f0e";
    c["aud"] = json::array{"https://mcp.example.com/mcp", "account"};
    c["iat"] = now;
    c["exp"] = now + 3600;
    c["jti"] = "0f5b2a52-5a0f-4a8b-b1b5-" + std::to_string(i);
    c["client_id"] = "mcp-client";
    c["scope"] = "openid profile email mcp:tools mcp:resources";
    c["email"] = "someone@example.com";
    c["name"] = "Some One";
    sample s;
    s.token = sign_jws(key.signer, "at+jwt", key.signer.public_part().kid(), json::serialize(c));
    auto dot = s.token.rfind('.');
    s.input = s.token.substr(0, dot);
    s.signature = *base64url_decode(s.token.substr(dot + 1));
    if (key.name == "ES256") s.signature = der(s.signature);
    samples.push_back(std::move(s));
  }
  return samples;
}

bool verify(EVP_MD_CTX* context, const sample& s) {
  return EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(s.signature.data()),
                          s.signature.size(), reinterpret_cast<const unsigned char*>(s.input.data()),
                          s.input.size()) == 1;
}

double nanoseconds_each(const std::vector<sample>& samples, const std::function<bool(const sample&)>& work) {
  auto from = steady::now();
  for (const auto& s : samples) {
    if (!work(s)) stop("a good token was refused");
  }
  return std::chrono::duration<double, std::nano>(steady::now() - from).count() /
         static_cast<double>(samples.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

v1::guard guard_for(const key_pair& key) {
  v1::options o;
  o.server.issuer = "https://idp.example.com/realms/main";
  o.server.keys = json::serialize(key_set::of({key.signer.public_part()}).to_json());
  o.resource = "https://mcp.example.com/mcp";
  o.remembered_tokens = 100'000;
  auto made = v1::guard::make(o);
  if (!made) stop(made.error().text().c_str());
  return *made;
}

void beside_openssl(const key_pair& key, std::size_t tokens, int rounds, std::int64_t now) {
  auto samples = sign(key, tokens, now);
  EVP_MD_CTX* ready = EVP_MD_CTX_new();
  if (EVP_DigestVerifyInit_ex(ready, nullptr, key.digest, nullptr, nullptr, key.pkey, nullptr) != 1)
    stop("no context");
  EVP_MD_CTX* copy = EVP_MD_CTX_new();
  std::vector<double> usual, prepared, cold, cached;
  for (int round = 0; round <= rounds; ++round) {
    auto a = nanoseconds_each(samples, [&](const sample& s) {
      EVP_MD_CTX* context = EVP_MD_CTX_new();
      EVP_DigestVerifyInit_ex(context, nullptr, key.digest, nullptr, nullptr, key.pkey, nullptr);
      bool good = verify(context, s);
      EVP_MD_CTX_free(context);
      return good;
    });
    auto b = nanoseconds_each(
        samples, [&](const sample& s) { return EVP_MD_CTX_copy_ex(copy, ready) == 1 && verify(copy, s); });
    auto guard = guard_for(key);  // that has seen none of them
    auto validate = [&](const sample& s) { return guard.validate(s.token).ok(); };
    auto c = nanoseconds_each(samples, validate);
    auto d = nanoseconds_each(samples, validate);
    if (round == 0) continue;  // warms up
    usual.push_back(a), prepared.push_back(b), cold.push_back(c), cached.push_back(d);
  }
  double u = median(usual), p = median(prepared), c = median(cold), d = median(cached);
  std::printf("%-6s %6zu  %9.2f %9.2f  %9.2f  %8.3f %8.3f  %9.0f\n", key.name.c_str(),
              samples[0].token.size(), u / 1000, p / 1000, c / 1000, c / u, c / p, d);
  EVP_MD_CTX_free(copy);
  EVP_MD_CTX_free(ready);
}

// What threads of one run did. The processor time is that of the threads alone: others that use the same
// cores make them wait, and do not make it longer.
struct pace {
  double a_second = 0;      // validations, all threads together
  double processor_ns = 0;  // of one validation
};

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Each thread gets `each` validations to do, from a place of its own among the samples, and all begin at
// once.
pace run(const v1::guard& guard, const std::vector<sample>& samples, int threads, std::size_t each) {
  std::barrier begin(threads);
  std::vector<steady::time_point> from(static_cast<std::size_t>(threads)), to(from);
  std::vector<double> used(from.size());
  std::vector<std::thread> workers;
  for (std::size_t me = 0; me < from.size(); ++me) {
    workers.emplace_back([&, me] {
      auto at = me * each % samples.size();
      begin.arrive_and_wait();
      from[me] = steady::now();
      auto before = processor_seconds();
      for (std::size_t i = 0; i < each; ++i, at = (at + 1) % samples.size()) {
        if (!guard.validate(samples[at].token)) stop("a good token was refused");
      }
      used[me] = processor_seconds() - before;
      to[me] = steady::now();
    });
  }
  for (auto& w : workers) w.join();
  auto took = std::chrono::duration<double>(*std::max_element(to.begin(), to.end()) -
                                            *std::min_element(from.begin(), from.end()))
                  .count();
  auto done = static_cast<double>(each) * threads;
  return {done / took, std::accumulate(used.begin(), used.end(), 0.0) / done * 1e9};
}

// One thread and many, in turn within each round. `cold`: a guard that has seen none of the tokens.
void side_by_side(const char* what, const key_pair& key, const std::vector<sample>& samples, bool cold,
                  int threads, std::size_t each, int rounds) {
  auto warm = guard_for(key);
  for (const auto& s : samples) {
    if (!cold && !warm.validate(s.token)) stop("a good token was refused");
  }
  std::vector<double> one, many, ratios, costs;
  for (int round = 0; round <= rounds; ++round) {
    auto a = run(cold ? guard_for(key) : warm, samples, 1, each);
    auto b = run(cold ? guard_for(key) : warm, samples, threads, each);
    if (round == 0) continue;  // warms up
    one.push_back(a.a_second), many.push_back(b.a_second);
    ratios.push_back(b.a_second / a.a_second), costs.push_back(b.processor_ns / a.processor_ns);
  }
  std::printf("%-18s %7d  %10.4f %10.4f  %6.2f  %9.2f  %9.2f\n", what, threads, median(one) / 1e6,
              median(many) / 1e6, median(ratios), median(ratios) / threads, median(costs));
}

void with_threads(const key_pair& key, std::int64_t now, int rounds, std::size_t cold_each,
                  std::size_t cached_each) {
  std::printf("\n                             million a second            ratio /  processor\n");
  std::printf("%-18s %7s  %10s %10s  %6s  %9s  %9s\n", key.name.c_str(), "threads", "one", "all", "ratio",
              "threads", "all/one");
  // More threads than cores can gain nothing.
  int most = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<int> counts;
  for (int threads = 2; threads < most; threads *= 2) counts.push_back(threads);
  counts.push_back(most);
  for (int threads : counts) {
    auto fresh = sign(key, cold_each * static_cast<std::size_t>(threads), now);
    side_by_side("cold", key, fresh, true, threads, cold_each, rounds);
    auto samples = sign(key, 512, now);
    side_by_side("cached", key, samples, false, threads, cached_each, rounds);
    samples.resize(1);
    side_by_side("cached, one token", key, samples, false, threads, cached_each, rounds);
  }
}

}  // namespace

int main(int count, char** words) {
  // Enough to see that it runs; its figures say nothing.
  bool brief = count > 1 && std::strcmp(words[1], "--short") == 0;
  if (count > 1 && !brief) stop("usage: validate_bench [--short]");
  int rounds = brief ? 2 : 15;
  // What was freed is used again, as in a server that has run for a while: the first use of a page costs more
  // than the rest of a validation, and is none of its business.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  std::printf("%s, %u cores, medians of %d rounds\n\n", OpenSSL_version(OPENSSL_VERSION),
              std::thread::hardware_concurrency(), rounds);
  std::printf("               OpenSSL, µs         guard, µs  guard / OpenSSL    cached\n");
  std::printf("%-6s %6s  %9s %9s  %9s  %8s %8s  %9s\n", "alg", "bytes", "usual", "prepared", "cold", "usual",
              "prepared", "ns");
  std::vector<key_pair> keys;
  for (const char* name : {"RS256", "ES256", "EdDSA"}) keys.push_back(generate(name));
  for (const auto& key : keys) {
    std::size_t tokens = key.name == "RS256" ? 500 : 300;
    beside_openssl(key, brief ? 20 : tokens, rounds, now);
  }
  with_threads(keys[1], now, rounds, brief ? 50 : 2'000, brief ? 2'000 : 200'000);
}
