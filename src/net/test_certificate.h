#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace mcp_oauth::net {

// For tests: a certificate for itself, for 127.0.0.1 and localhost unless it is said otherwise (""), with the
// given common name; without names it is an authority. `begins` and `ends`: seconds from now. With an issuer
// it is signed by that, and the chain stands in its file.
class test_certificate {
 public:
  explicit test_certificate(const char* common_name, const char* alternatives = "IP:127.0.0.1,DNS:localhost",
                            long begins = -60, long ends = 3600, const test_certificate* issuer = nullptr) {
    static int made = 0;
    auto stem = std::filesystem::temp_directory_path() /
                ("mop-tls-" + std::to_string(::getpid()) + "-" + std::to_string(made++));
    cert_file = stem.string() + ".crt";
    key_file = stem.string() + ".key";
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), made);
    X509_gmtime_adj(X509_getm_notBefore(cert), begins);
    X509_gmtime_adj(X509_getm_notAfter(cert), ends);
    X509_set_pubkey(cert, key);
    auto* name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name),
                               -1, -1, 0);
    EVP_PKEY* signer = key;
    std::string chain;
    X509* above = nullptr;
    if (issuer != nullptr) {
      auto* in = std::fopen(issuer->key_file.c_str(), "r");
      signer = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
      std::fclose(in);
      in = std::fopen(issuer->cert_file.c_str(), "r");
      above = PEM_read_X509(in, nullptr, nullptr, nullptr);
      std::fclose(in);
      std::ifstream file(issuer->cert_file);
      chain.assign(std::istreambuf_iterator<char>(file), {});
    }
    X509_set_issuer_name(cert, above != nullptr ? X509_get_subject_name(above) : name);
    if (*alternatives == '\0') {
      auto* authority = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
      X509_add_ext(cert, authority, -1);
      X509_EXTENSION_free(authority);
    } else {
      auto* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives);
      X509_add_ext(cert, names, -1);
      X509_EXTENSION_free(names);
    }
    X509_sign(cert, signer, EVP_sha256());
    if (above != nullptr) {
      X509_free(above);
      EVP_PKEY_free(signer);
    }
    auto* out = std::fopen(cert_file.c_str(), "w");
    PEM_write_X509(out, cert);
    std::fputs(chain.c_str(), out);
    std::fclose(out);
    out = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
  }
  test_certificate(const test_certificate&) = delete;
  test_certificate& operator=(const test_certificate&) = delete;
  ~test_certificate() {
    std::filesystem::remove(cert_file);
    std::filesystem::remove(key_file);
  }
  std::string cert_file, key_file;
};

}  // namespace mcp_oauth::net
