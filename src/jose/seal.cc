#include "jose/seal.h"

#include "jose/digest.h"
#include "jose/openssl.h"

#include <utility>

namespace mcp_oauth {
namespace {

constexpr char version_with_id = '\x01';
constexpr char version_bare = '\x02';
constexpr std::size_t key_size = 32;
constexpr std::size_t id_size = 4;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t largest = 512 * 1024 * 1024;  // OpenSSL counts in int

const EVP_CIPHER* fetched_aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  must(cipher != nullptr, "no AES-256-GCM");
  return cipher;
}

secret purpose_key(std::string_view master, std::string_view purpose) {
  return secret(hkdf_sha256(master, "", "mcp-oauth-proxy seal: " + std::string(purpose), key_size));
}

// `head` stands before the nonce in clear text and is authenticated, with what the caller adds.
std::string encrypt(const secret& key, std::string head, std::string_view associated,
                    std::string_view plaintext, const random_fn& random) {
  must(plaintext.size() <= largest && associated.size() <= largest, "too much to seal");
  const auto nonce = random(nonce_size);
  must(nonce.size() == nonce_size, "a nonce of the wrong length");
  const auto authenticated = head + std::string(associated);
  auto sealed = std::move(head) + nonce;
  const auto body = sealed.size();
  sealed.resize(body + plaintext.size() + tag_size);
  auto* out = octets(sealed) + body;
  evp_cipher_ctx ctx(EVP_CIPHER_CTX_new());
  int written = 0;
  must(ctx != nullptr &&
           EVP_EncryptInit_ex2(ctx.get(), fetched_aes_256_gcm(), octets(key.reveal()), octets(nonce),
                               nullptr) == 1 &&
           EVP_EncryptUpdate(ctx.get(), nullptr, &written, octets(authenticated),
                             static_cast<int>(authenticated.size())) == 1 &&
           EVP_EncryptUpdate(ctx.get(), out, &written, octets(plaintext),
                             static_cast<int>(plaintext.size())) == 1 &&
           EVP_EncryptFinal_ex(ctx.get(), out + plaintext.size(), &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, out + plaintext.size()) == 1,
       "sealing failed");
  return sealed;
}

result<std::string> decrypt(const secret& key, std::string_view sealed, std::size_t head_size,
                            std::string_view associated) {
  if (sealed.size() < head_size + nonce_size + tag_size) return fail(errc::seal_broken, "too short");
  if (sealed.size() > 2 * largest || associated.size() > largest) return fail(errc::seal_broken, "too long");
  const auto authenticated = std::string(sealed.substr(0, head_size)) + std::string(associated);
  const auto nonce = sealed.substr(head_size, nonce_size);
  const auto ciphertext =
      sealed.substr(head_size + nonce_size, sealed.size() - head_size - nonce_size - tag_size);
  std::string tag(sealed.substr(sealed.size() - tag_size));
  std::string plaintext(ciphertext.size(), '\0');
  quiet_errors quiet;
  evp_cipher_ctx ctx(EVP_CIPHER_CTX_new());
  int written = 0;
  must(ctx != nullptr && EVP_DecryptInit_ex2(ctx.get(), fetched_aes_256_gcm(), octets(key.reveal()),
                                             octets(nonce), nullptr) == 1,
       "opening failed");
  if (EVP_DecryptUpdate(ctx.get(), nullptr, &written, octets(authenticated),
                        static_cast<int>(authenticated.size())) != 1 ||
      EVP_DecryptUpdate(ctx.get(), octets(plaintext), &written, octets(ciphertext),
                        static_cast<int>(ciphertext.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(ctx.get(), nullptr, &written) != 1) {
    wipe(plaintext.data(), plaintext.size());
    return fail(errc::seal_broken, "the tag does not match");
  }
  return plaintext;
}

}  // namespace

result<sealer> sealer::of(const std::vector<secret>& master_keys) {
  if (master_keys.empty()) return fail(errc::key_weak, "no master key");
  sealer made;
  for (const auto& key : master_keys) {
    if (key.reveal().size() != key_size) return fail(errc::key_weak, "a master key is not of 32 bytes");
    const secret id_key(hkdf_sha256(key.reveal(), "", "mcp-oauth-proxy key id", key_size));
    made.keys_.push_back({sha256_bytes(id_key.reveal()).substr(0, id_size), key});
  }
  return made;
}

std::string sealer::seal(std::string_view purpose, std::string_view associated, std::string_view plaintext,
                         const random_fn& random) const {
  const auto& first = keys_.front();
  return encrypt(purpose_key(first.key.reveal(), purpose), version_with_id + first.id, associated, plaintext,
                 random);
}

result<std::string> sealer::open(std::string_view purpose, std::string_view associated,
                                 std::string_view sealed) const {
  if (sealed.size() < 1 + id_size || sealed.front() != version_with_id) {
    return fail(errc::seal_broken, "unknown version");
  }
  result<std::string> opened = fail(errc::seal_broken, "sealed with a key that is not configured");
  for (const auto& [id, key] : keys_) {
    if (sealed.substr(1, id_size) != id) continue;
    opened = decrypt(purpose_key(key.reveal(), purpose), sealed, 1 + id_size, associated);
    if (opened) break;
  }
  return opened;
}

bool sealer::is_outdated(std::string_view sealed) const {
  return sealed.substr(0, 1 + id_size) != version_with_id + keys_.front().id;
}

std::string seal_with(std::string_view key32, std::string_view purpose, std::string_view associated,
                      std::string_view plaintext, const random_fn& random) {
  must(key32.size() == key_size, "a sealing key is not of 32 bytes");
  return encrypt(purpose_key(key32, purpose), {version_bare}, associated, plaintext, random);
}

result<std::string> open_with(std::string_view key32, std::string_view purpose, std::string_view associated,
                              std::string_view sealed) {
  if (key32.size() != key_size) return fail(errc::seal_broken, "a key that is not of 32 bytes");
  if (sealed.empty() || sealed.front() != version_bare) return fail(errc::seal_broken, "unknown version");
  return decrypt(purpose_key(key32, purpose), sealed, 1, associated);
}

}  // namespace mcp_oauth
