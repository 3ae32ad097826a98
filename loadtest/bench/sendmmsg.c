/* The floor for a forwarding server: the same datagrams to the same addresses from a bare C loop.
 *
 * sendmmsg FAN_OUT BURST SIZE BURSTS PERIOD_US GSO PORT...  prints the CPU seconds (user and system) it took.
 * It sleeps between bursts as the server does, because a loop that never sleeps finds its caches warm.
 * Without GSO every datagram is a message of its own; with GSO the burst to one address is one message.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MAX_MESSAGES 1024

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  int fan_out = atoi(argv[1]), burst = atoi(argv[2]), size = atoi(argv[3]), bursts = atoi(argv[4]);
  long period_ns = atol(argv[5]) * 1000;
  int gso = atoi(argv[6]), ports = argc - 7;
  int messages = gso ? fan_out : fan_out * burst;
  if (messages < 1 || messages > MAX_MESSAGES || size < 1 || size > 1400 || burst < 1 || burst > 64) return 2;
  int sock = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 4 << 20;
  setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  static char payload[64 * 1400];
  static struct mmsghdr headers[MAX_MESSAGES];
  static struct iovec vectors[MAX_MESSAGES];
  static struct sockaddr_in addresses[MAX_MESSAGES];
  static char control[MAX_MESSAGES][CMSG_SPACE(sizeof(unsigned short))];
  for (int i = 0; i < messages; i++) {
    int receiver = gso ? i : i / burst;
    addresses[i].sin_family = AF_INET;
    addresses[i].sin_port = htons((unsigned short)atoi(argv[7 + receiver % ports]));
    addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    vectors[i].iov_base = payload;
    vectors[i].iov_len = (size_t)(gso ? size * burst : size);
    headers[i].msg_hdr.msg_name = &addresses[i];
    headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    if (gso && burst > 1) {
      headers[i].msg_hdr.msg_control = control[i];
      headers[i].msg_hdr.msg_controllen = sizeof control[i];
      struct cmsghdr *message = CMSG_FIRSTHDR(&headers[i].msg_hdr);
      message->cmsg_level = SOL_UDP;
      message->cmsg_type = UDP_SEGMENT;
      message->cmsg_len = CMSG_LEN(sizeof(unsigned short));
      unsigned short segment = (unsigned short)size;
      memcpy(CMSG_DATA(message), &segment, sizeof segment);
    }
  }
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  double before = cpu_seconds();
  for (int i = 0; i < bursts; i++) {
    int done = 0;
    while (done < messages) {
      int sent = sendmmsg(sock, headers + done, (unsigned)(messages - done), 0);
      if (sent <= 0) return 1;
      done += sent;
    }
    due.tv_nsec += period_ns;
    while (due.tv_nsec >= 1000000000L) {
      due.tv_nsec -= 1000000000L;
      due.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
  }
  printf("%.6f\n", cpu_seconds() - before);
  return 0;
}
