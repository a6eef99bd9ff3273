#include "jose/material.h"

namespace mcp_oauth {
namespace {

void append_length(std::string& der, std::size_t length) {
  if (length > 127) der += '\x81';
  der += static_cast<char>(length);
}

// An INTEGER is signed and as short as can be.
void append_integer(std::string& der, std::string_view number) {
  while (number.size() > 1 && number.front() == '\0') number.remove_prefix(1);
  const bool sign_byte = (static_cast<unsigned char>(number.front()) & 0x80) != 0;
  der += '\x02';
  append_length(der, number.size() + (sign_byte ? 1 : 0));
  if (sign_byte) der += '\0';
  der += number;
}

}  // namespace

// By hand, because two BIGNUMs and an encoder would cost a tenth of the verification of an ES256 signature.
std::string ecdsa_to_der(std::string_view raw) {
  std::string numbers;
  numbers.reserve(raw.size() + 8);
  append_integer(numbers, raw.substr(0, raw.size() / 2));
  append_integer(numbers, raw.substr(raw.size() / 2));
  std::string der;
  der.reserve(numbers.size() + 3);
  der += '\x30';
  append_length(der, numbers.size());
  der += numbers;
  return der;
}

std::string ecdsa_from_der(std::string_view der, std::size_t width) {
  const unsigned char* at = octets(der);
  ecdsa_sig numbers(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  std::string raw(2 * width, '\0');
  const int size = static_cast<int>(width);
  must(numbers != nullptr && BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), octets(raw), size) == size &&
           BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), octets(raw) + width, size) == size,
       "an ECDSA signature cannot be read");
  return raw;
}

}  // namespace mcp_oauth
