/* Opens and closes so many connections over loopback, one after another: connection_storm COUNT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	long count = argc > 1 ? atol(argv[1]) : 1000;
	char bytes[100];

	if (bind(listener, (void *)&address, length) || listen(listener, 128) ||
	    getsockname(listener, (void *)&address, &length))
		return 1;
	for (long i = 0; i < count; i++) {
		int opener = socket(AF_INET, SOCK_STREAM, 0), acceptor;

		if (connect(opener, (void *)&address, length))
			return 1;
		acceptor = accept(listener, NULL, NULL);
		if (write(opener, bytes, sizeof(bytes)) < 0 ||
		    read(acceptor, bytes, sizeof(bytes)) < 0)
			return 1;
		close(acceptor);
		close(opener);
	}
	return 0;
}
